//! countersign-cache

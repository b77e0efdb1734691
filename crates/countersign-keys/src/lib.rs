//! countersign-keys

//! countersign-actix

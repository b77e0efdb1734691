//! countersign-testkit

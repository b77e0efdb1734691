//! countersign-rbac

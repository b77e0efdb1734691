//! countersign-warp

//! The guides in `docs/`: their code is compiled and run as doc tests of this crate.

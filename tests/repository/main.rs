//! What is checked in is consistent: generated files are current.

mod header;
mod readme;
mod reference;

//! Invalid arguments at the C boundary: a status, a message that says why, and nothing changed.

mod answers;
mod chains;
mod freed;
mod logits;
mod pointers;
mod rows;
mod sources;

//! What the C boundary does with arguments that are wrong: it says why, and changes nothing.

mod answers;
mod chains;
mod freed;
mod logits;
mod pointers;
mod rows;
mod sources;

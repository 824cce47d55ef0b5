//! What the C boundary does with arguments that are wrong: it says why, and changes nothing.

#[path = "boundary/answers.rs"]
mod answers;
#[path = "boundary/chains.rs"]
mod chains;
#[path = "boundary/freed.rs"]
mod freed;
#[path = "boundary/handle.rs"]
mod handle;
#[path = "c/header.rs"]
mod header;
#[path = "boundary/logits.rs"]
mod logits;
#[path = "boundary/pointers.rs"]
mod pointers;
#[path = "boundary/rows.rs"]
mod rows;
#[path = "boundary/sources.rs"]
mod sources;

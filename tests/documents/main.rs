//! The documents hold: what is generated is current, what is cited exists, and what they show runs.

mod readme;
mod stages;

//! Plans from elsewhere as their writers make them, good and bad: what is accepted is read as it is, and what is not is
//! refused with the file, the row and what to do.

mod adopting;
mod door;
mod hostile;
#[path = "../common/in_hand.rs"]
mod in_hand;
mod reading;
mod writing;

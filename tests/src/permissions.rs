//! Programs under roles that may exactly what the template, or a policy of the docs, says; and what each of them needs of it.
//!
//! - [`judge`]: a moto that refuses what is not signed or not allowed (`tests/judge.py`)
//! - [`stand_in`]: the template's resources on it, made one by one
//! - [`function`]: a built function outside of Lambda
//! - [`session`]: the same under a role
//! - [`uses`]: all that functions do which asks for a permission
//! - [`grant`]: the parts of a policy, one of which can be taken away
//! - [`proof`]: that each part is needed, or is not the program's

pub mod function;
pub mod grant;
pub mod judge;
pub mod proof;
pub mod session;
pub mod stand_in;
pub mod uses;

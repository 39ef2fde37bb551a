//! What must hold of `template.yaml`, checked without deploying it, and what it costs.
//!
//! - [`template`]: the YAML with its intrinsic functions, and ways to look into it
//! - [`rules`]: one function a rule; each tells what is wrong, in words
//! - [`cost`]: the cost model (`cargo run -p infra -- cost`)
//! - [`policy`]: every permission the functions have, as lines for a golden file

pub mod cost;
pub mod policy;
pub mod rules;
pub mod template;

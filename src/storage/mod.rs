//! (front page)
#![allow(async_fn_in_trait)]

pub mod disk;
pub mod runtime;

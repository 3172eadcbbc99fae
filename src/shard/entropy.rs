//! The only randomness from the operating system: identifiers and seeds.

use crate::base::ids::Uuid;

/// Ends the process when the system has no randomness to give: no identifier would be safe.
pub fn random_uuid() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    Uuid::from_random(bytes)
}

//! Giving space back without holding up those who write beside it.

use super::disk::{DiskError, DiskFile};
use super::runtime::Runtime;
use crate::base::limits::Limits;
use crate::base::time::Instant;

/// Cuts `file` to `len`, in steps of which each is durable before the next. After each comes `between` with the moment at
/// which it began; what is left goes at once when that answers `false`.
///
/// Where a file system discards (mount option `discard`), the drive is told to forget whatever one commit freed, and
/// writes wait for it: 5 ms for 32 MiB on a cloud's drive.
pub(super) async fn cut<F: DiskFile, R: Runtime>(
    runtime: &R,
    limits: &Limits,
    file: &F,
    len: u64,
    between: impl AsyncFn(Instant) -> bool,
) -> Result<(), DiskError> {
    let step = limits.cut_step_bytes as u64;
    let mut left = file.len().await?;
    while left.saturating_sub(len) > step {
        let begun = runtime.now().instant;
        left -= step;
        file.set_len(left).await?;
        file.sync().await?;
        if !between(begun).await {
            break;
        }
    }
    file.set_len(len).await
}

//! Why bytes are not a table that this program wrote, and the little-endian fields both tables are made of.

/// The snapshot's checksum has already vouched for the bytes, so each of these is a bug or a newer format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableError {
    /// The bytes end before the table does.
    Short,
    /// More entries than the bytes that are left can hold, or than a table may have.
    Count { count: u32 },
    /// Entries that no log leaves behind: out of order, twice, or negative.
    Order,
}

/// Takes the first `N` bytes.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], TableError> {
    let (field, rest) = bytes.split_first_chunk().ok_or(TableError::Short)?;
    *bytes = rest;
    Ok(*field)
}

/// Takes a count of entries of at least `entry_bytes_min` each.
pub(super) fn take_count(
    bytes: &mut &[u8],
    entry_bytes_min: usize,
    count_max: usize,
) -> Result<usize, TableError> {
    let count = u32::from_le_bytes(take(bytes)?);
    let fits = bytes.len() / entry_bytes_min;
    if count as usize > fits.min(count_max) {
        return Err(TableError::Count { count });
    }
    Ok(count as usize)
}

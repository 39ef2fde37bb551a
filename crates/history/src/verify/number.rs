//! Numbers in as few bytes as they need.

/// Seven bits a byte, the lowest first; the last byte has no eighth bit.
pub(super) fn push_number(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            to.push(low & 0x7F);
            return;
        }
        to.push(low | 0x80);
    }
}

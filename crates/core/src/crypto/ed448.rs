//! Ed448 (RFC 8032 section 5.2), which AWS-LC does not have.
//!
//! The crate that does the arithmetic refuses points outside the prime-order group and an S that is
//! not reduced. The crate accepts and reduces a coordinate that is not reduced: such an encoding is
//! refused here.

use core::fmt;

use ed448_goldilocks::{Signature, VerifyingKey};

/// The octets of an encoded point (section 5.2.2).
pub(crate) const POINT_LEN: usize = 57;

/// A public key that is ready to verify.
pub(crate) struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Decodes a key; `None` where the bytes are not the canonical encoding of a point of the
    /// prime-order group, or where the point is the neutral element, for which anyone can sign.
    pub(crate) fn parse(x: &[u8]) -> Option<Self> {
        let bytes = x.try_into().ok()?;
        is_canonical(bytes).then(|| VerifyingKey::from_bytes(bytes).ok().map(Self))?
    }

    /// Whether this key made `signature` over `message`, without a context (section 5.2.7). The
    /// scalar S must be below the order of the group, so that no signature has a second encoding.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let is_good = || {
            let point = signature.first_chunk()?;
            let signature = Signature::from_slice(signature).ok()?;
            Some(is_canonical(point) && self.0.verify_raw(&signature, message).is_ok())
        };
        is_good().unwrap_or(false)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed448")
    }
}

/// Section 5.2.3: "If the resulting value is >= p, decoding fails", where p is 2^448 - 2^224 - 1.
fn is_canonical(point: &[u8; POINT_LEN]) -> bool {
    const P: [u8; POINT_LEN - 1] = {
        let mut p = [0xff; POINT_LEN - 1];
        let (_, half) = p.split_at_mut(28);
        if let [first, ..] = half {
            *first = 0xfe;
        }
        p
    };
    let [y @ .., sign] = point;
    // Only the highest bit of the last octet is used: it is the sign of the other coordinate.
    matches!(sign, 0x00 | 0x80) && y.iter().rev().lt(P.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoding of p plus `more`.
    fn p_plus(more: u8) -> [u8; POINT_LEN] {
        let mut bytes = [0xff; POINT_LEN];
        (bytes[28], bytes[56]) = (0xfe, 0);
        let mut carry = u16::from(more);
        for byte in &mut bytes[..56] {
            carry += u16::from(*byte);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        bytes
    }

    #[test]
    fn canonical_is_what_is_below_p() {
        let mut below = p_plus(0);
        below[0] -= 1;
        assert!(is_canonical(&[0; POINT_LEN]) && is_canonical(&below));
        for more in 0..=u8::MAX {
            assert!(!is_canonical(&p_plus(more)), "{more}");
        }
        for bit in 0..8 {
            let mut bytes = [0; POINT_LEN];
            bytes[56] = 1 << bit;
            assert_eq!(is_canonical(&bytes), bit == 7, "{bit}");
        }
    }

    /// 19 is the coordinate of a point of prime order; reduced modulo p, p + 19 is that coordinate,
    /// too.
    #[test]
    fn takes_a_point_in_one_encoding_only() {
        let mut point = [0; POINT_LEN];
        point[0] = 19;
        assert!(PublicKey::parse(&point).is_some());
        assert!(VerifyingKey::from_bytes(&p_plus(19)).is_ok());
        assert!(PublicKey::parse(&p_plus(19)).is_none());
        point[56] = 0x7f;
        assert!(VerifyingKey::from_bytes(&point).is_ok());
        assert!(PublicKey::parse(&point).is_none());
    }
}

//! RSA moduli of a kind that can be factored.

/// Those of the primes up to 167 modulo which 65537 has fewer powers than there are residues.
const MARKERS: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Whether a modulus bears the mark of a widespread smart card library (CVE-2017-15361, "ROCA").
///
/// Its primes are `k·M + (65537^a mod M)`, where M is the product of the first 39 primes or more, so that the modulus is a
/// power of 65537 modulo each of them. One in 2²⁷ of other moduli is so too (Nemec and others, "The Return of
/// Coppersmith's Attack", CCS 2017, §2 and §3).
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    MARKERS.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |residue, octet| (residue * 256 + u32::from(*octet)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(*prime as usize).any(|power| power == residue)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;
    use crate::crypto::PublicMaterial;
    use crate::danger;
    use crate::jwk::{Jwk, rsa_material};
    use crate::key::VerifyingKey;
    use crate::key_error::KeyError;

    /// A power of 65537, which is one modulo every prime.
    fn power(exponent: u32) -> Vec<u8> {
        let mut octets = vec![1_u8];
        for _ in 0..exponent {
            // x·65537 = x·2¹⁶ + x
            let mut sum = [&octets[..], &[0, 0]].concat();
            let mut carry = 0;
            for at in (0..sum.len()).rev() {
                let below = if at >= 2 { octets[at - 2] } else { 0 };
                let digit = u16::from(sum[at]) + u16::from(below) + carry;
                sum[at] = digit.to_le_bytes()[0];
                carry = digit >> 8;
            }
            octets = if carry == 0 { sum } else { [&[1][..], &sum].concat() };
        }
        octets
    }

    #[test]
    fn a_modulus_that_can_be_factored_is_refused_wherever_it_comes_from() {
        const FACTORABLE: KeyError = KeyError::Weak("the RSA modulus can be factored (CVE-2017-15361)");
        assert_eq!(power(2), [1, 0, 2, 0, 1], "65537²");
        let modulus = power(128);
        assert_eq!(rsa_material(&modulus, &[1, 0, 1]), Err(FACTORABLE));
        let text =
            |modulus: &[u8]| format!(r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#, crate::base64url::encode(modulus));
        assert_eq!(Jwk::parse(&text(&modulus)), Err(FACTORABLE));
        assert_eq!(danger::small_rsa_key(Algorithm::RS256, &text(&power(64))).err(), Some(FACTORABLE));
        let material = PublicMaterial::Rsa { modulus: modulus.clone(), exponent: vec![3] };
        let key = VerifyingKey::from_material(
            crate::crypto::default_backend().expect("a backend"),
            Algorithm::RS256,
            material,
        );
        assert_eq!(key.err(), Some(FACTORABLE));
        let mut other = modulus;
        other[100] ^= 1;
        assert!(rsa_material(&other, &[1, 0, 1]).is_ok(), "one bit beside it is another modulus");
    }

    #[test]
    fn the_markers_are_the_primes_that_tell_something() {
        let is_prime = |number: u32| !(2..number).any(|divisor| number.is_multiple_of(divisor));
        let tells = |prime: &u32| {
            let powers = std::iter::successors(Some(65537 % prime), |power| Some(power * 65537 % prime));
            (powers.take_while(|power| *power != 1).count() + 1) < *prime as usize - 1
        };
        let markers: Vec<_> = (3..=167).filter(|number| is_prime(*number)).filter(tells).collect();
        assert_eq!(markers, MARKERS);
    }
}

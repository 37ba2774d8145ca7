//! CMS SignedData (RFC 5652 section 5), as module signatures use it: detached, and in DER alone.
//!
//! Read by hand and not with derived types, because a signature over attributes is over their bytes as they came.

use der::{
    AnyRef, Decode, Encode, Reader, SliceReader, Tag, TagNumber,
    asn1::{ObjectIdentifier, UintRef},
};
use x509_cert::name::Name;

use super::algorithm::{DigestAlgorithm, SignatureAlgorithm};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// More signers than anybody has, few enough to verify all of them.
const MAX_SIGNERS: usize = 8;

const NOT_DER: &str = "not the DER of a CMS SignedData";

/// Who a SignerInfo says has signed (RFC 5652 section 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignerId {
    /// By the certificate's issuer and serial number.
    IssuerAndSerial {
        /// The issuer in RFC 4514's form, for people.
        issuer: String,
        /// The issuer's DER, which is what is compared.
        issuer_der: Vec<u8>,
        /// The serial number, big-endian, without leading zeros.
        serial: Vec<u8>,
    },
    /// By the certificate's subject key identifier.
    KeyId(Vec<u8>),
}

/// One signature within a SignedData.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    id: SignerId,
    digest: DigestAlgorithm,
    algorithm: SignatureAlgorithm,
    attributes: Option<SignedAttributes>,
    signature: Vec<u8>,
}

/// Attributes that are signed in place of the content, whose digest is among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedAttributes {
    /// What is signed: the attributes as they came, as a SET OF (RFC 5652 section 5.4).
    pub(super) der: Vec<u8>,
    pub(super) message_digest: Vec<u8>,
}

impl Signer {
    /// Who it says has signed.
    pub fn id(&self) -> &SignerId {
        &self.id
    }

    /// The digest algorithm. ML-DSA without signed attributes takes the content itself and ignores it.
    pub fn digest(&self) -> DigestAlgorithm {
        self.digest
    }

    /// The signature algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Whether attributes are signed, the content's digest among them, and not the content itself.
    pub fn has_signed_attributes(&self) -> bool {
        self.attributes.is_some()
    }

    pub(super) fn attributes(&self) -> Option<&SignedAttributes> {
        self.attributes.as_ref()
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Reads ContentInfo { signedData } and nothing behind it.
pub(super) fn read(der: &[u8]) -> Result<Vec<Signer>, &'static str> {
    let mut outer = Fields::new(der)?;
    let mut info = Fields::new(outer.value(Tag::Sequence)?)?;
    outer.end("bytes follow the CMS message")?;
    if info.oid()? != SIGNED_DATA {
        return Err("a CMS message that is not SignedData");
    }
    let mut explicit = Fields::new(info.value(context(0))?)?;
    info.end(NOT_DER)?;
    let mut data = Fields::new(explicit.value(Tag::Sequence)?)?;
    explicit.end(NOT_DER)?;

    data.value(Tag::Integer)?; // version: says which optional fields there are, which the fields say as well
    data.value(Tag::Set)?; // digestAlgorithms: a hint for one pass, repeated by each signer
    let mut content = Fields::new(data.value(Tag::Sequence)?)?;
    if content.oid()? != DATA {
        return Err("the signed content is of another type than data");
    }
    content.end("the CMS message carries a content of its own; the module's is elsewhere")?;
    // Certificates and revocation lists prove nothing here: trust comes with the verifier's own certificate.
    data.optional(context(0))?;
    data.optional(context(1))?;
    let mut infos = Fields::new(data.value(Tag::Set)?)?;
    data.end(NOT_DER)?;
    let mut signers = Vec::new();
    while !infos.is_empty() {
        if signers.len() == MAX_SIGNERS {
            return Err("more than eight signers");
        }
        signers.push(signer(infos.value(Tag::Sequence)?)?);
    }
    if signers.is_empty() { Err("nobody has signed") } else { Ok(signers) }
}

fn signer(der: &[u8]) -> Result<Signer, &'static str> {
    let mut fields = Fields::new(der)?;
    let version = fields.value(Tag::Integer)?;
    // RFC 5652 section 5.3: 1 with issuer and serial number, 3 with a key identifier.
    let id = match (fields.any()?, version) {
        ((Tag::Sequence, id), [1]) => issuer_and_serial(id)?,
        ((tag, id), [3]) if tag == primitive(0) => SignerId::KeyId(id.to_vec()),
        _ => return Err("a signer's version and identifier do not belong together"),
    };
    let (digest, _) = algorithm(fields.value(Tag::Sequence)?)?;
    let digest = DigestAlgorithm::of(digest);
    let attributes = fields.optional(context(0))?.map(signed_attributes).transpose()?;
    let (oid, parameters) = algorithm(fields.value(Tag::Sequence)?)?;
    let (algorithm, fixed) = SignatureAlgorithm::of(oid);
    if fixed.is_some_and(|fixed| fixed != digest) {
        return Err("the signature algorithm and the digest algorithm contradict each other");
    }
    let signature = fields.value(Tag::OctetString)?.to_vec();
    fields.optional(context(1))?; // unsigned attributes: anybody can have written them
    fields.end(NOT_DER)?;
    if let Some(length) = algorithm.signature_bytes() {
        // RFC 9882 section 3: parameters are absent.
        if parameters || signature.len() != length {
            return Err("labelled ML-DSA, but it has parameters or a length that no such signature has");
        }
    }
    Ok(Signer { id, digest, algorithm, attributes, signature })
}

fn issuer_and_serial(der: &[u8]) -> Result<SignerId, &'static str> {
    let mut fields = Fields::new(der)?;
    let issuer_der = fields.whole()?;
    let issuer = Name::from_der(issuer_der).map_err(|_| "the issuer's name is malformed")?.to_string();
    let serial = UintRef::from_der(fields.whole()?).map_err(|_| "the serial number is malformed")?;
    fields.end(NOT_DER)?;
    Ok(SignerId::IssuerAndSerial { issuer, issuer_der: issuer_der.to_vec(), serial: serial.as_bytes().to_vec() })
}

/// AlgorithmIdentifier: its name, and whether it has parameters.
fn algorithm(der: &[u8]) -> Result<(ObjectIdentifier, bool), &'static str> {
    let mut fields = Fields::new(der)?;
    let oid = fields.oid()?;
    let parameters = !fields.is_empty();
    if parameters {
        fields.any()?;
    }
    fields.end(NOT_DER)?;
    Ok((oid, parameters))
}

/// RFC 5652 section 5.3: the content's type and its digest are there, once, with one value each.
fn signed_attributes(set: &[u8]) -> Result<SignedAttributes, &'static str> {
    let (mut content_type, mut message_digest) = (None, None);
    let mut attributes = Fields::new(set)?;
    while !attributes.is_empty() {
        let mut attribute = Fields::new(attributes.value(Tag::Sequence)?)?;
        let oid = attribute.oid()?;
        let values = attribute.value(Tag::Set)?;
        attribute.end(NOT_DER)?;
        let earlier = match oid {
            CONTENT_TYPE => content_type.replace(values),
            MESSAGE_DIGEST => message_digest.replace(values),
            _ => None,
        };
        if earlier.is_some() {
            return Err("a signed attribute stands there twice");
        }
    }
    let (Some(content_type), Some(message_digest)) = (content_type, message_digest) else {
        return Err("the content's type or digest is not among the signed attributes");
    };
    let mut value = Fields::new(content_type)?;
    if value.oid()? != DATA {
        return Err("the signed attributes speak of another type of content");
    }
    value.end(NOT_DER)?;
    let mut value = Fields::new(message_digest)?;
    let message_digest = value.value(Tag::OctetString)?.to_vec();
    value.end(NOT_DER)?;
    let der = AnyRef::new(Tag::Set, set).and_then(|set| set.to_der()).map_err(|_| NOT_DER)?;
    Ok(SignedAttributes { der, message_digest })
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// The elements of a constructed value, taken one after the other.
struct Fields<'a>(SliceReader<'a>);

impl<'a> Fields<'a> {
    fn new(value: &'a [u8]) -> Result<Self, &'static str> {
        SliceReader::new(value).map(Fields).map_err(|_| NOT_DER)
    }

    fn any(&mut self) -> Result<(Tag, &'a [u8]), &'static str> {
        let any = AnyRef::decode(&mut self.0).map_err(|_| NOT_DER)?;
        Ok((any.header().tag(), any.value()))
    }

    fn value(&mut self, tag: Tag) -> Result<&'a [u8], &'static str> {
        let (found, value) = self.any()?;
        if found == tag { Ok(value) } else { Err(NOT_DER) }
    }

    fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, &'static str> {
        if self.is_empty() || Tag::peek(&self.0).map_err(|_| NOT_DER)? != tag {
            return Ok(None);
        }
        self.value(tag).map(Some)
    }

    fn oid(&mut self) -> Result<ObjectIdentifier, &'static str> {
        ObjectIdentifier::decode(&mut self.0).map_err(|_| NOT_DER)
    }

    /// The next element with its tag and length.
    fn whole(&mut self) -> Result<&'a [u8], &'static str> {
        self.0.tlv_bytes().map_err(|_| NOT_DER)
    }

    fn is_empty(&self) -> bool {
        self.0.is_finished()
    }

    fn end(&self, otherwise: &'static str) -> Result<(), &'static str> {
        if self.is_empty() { Ok(()) } else { Err(otherwise) }
    }
}

//! Attacks that do not compile: what an earlier implementation offered and this one has not.
//!
//! Each example differs in one line from one beside it that compiles, so that it fails for that line alone.
//! The attack tests that run are `tests/attacks_channel` and `tests/attacks_attestation`.

/// A07: no attestation is verified without the module.
///
/// ```
/// # use pqc_gpu_driver::attest::{DriverAttestationVerifier, VerificationResult};
/// fn judge(verifier: &DriverAttestationVerifier, attestation: &[u8], module: &[u8]) -> VerificationResult {
///     verifier.verify(attestation, module, 0)
/// }
/// ```
///
/// ```compile_fail,E0061
/// # use pqc_gpu_driver::attest::{DriverAttestationVerifier, VerificationResult};
/// fn judge(verifier: &DriverAttestationVerifier, attestation: &[u8]) -> VerificationResult {
///     verifier.verify(attestation, 0)
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use pqc_gpu_driver::attest::{DriverAttestationVerifier, VerificationResult};
/// fn judge(verifier: &DriverAttestationVerifier, attestation: &[u8], module: Option<&[u8]>) -> VerificationResult {
///     verifier.verify(attestation, module, 0)
/// }
/// ```
pub struct A07;

/// A05, A19: a result comes from a verification; none can be made, defaulted or set to have passed.
///
/// ```
/// # use pqc_gpu_driver::attest::VerificationResult;
/// fn passed(result: VerificationResult) -> bool {
///     result.passed()
/// }
/// ```
///
/// ```compile_fail,E0624
/// # use pqc_gpu_driver::attest::VerificationResult;
/// let result = VerificationResult::new();
/// ```
///
/// ```compile_fail,E0277
/// fn defaults<T: Default>() {}
/// defaults::<pqc_gpu_driver::attest::VerificationResult>();
/// ```
///
/// ```compile_fail,E0624
/// # use pqc_gpu_driver::attest::{Check, Outcome, VerificationResult};
/// fn passed(mut result: VerificationResult) -> bool {
///     result.set(Check::Signature, Outcome::Passed);
///     result.passed()
/// }
/// ```
pub struct A19;

/// C16: no function takes a session key, of 16 bytes or any other length.
///
/// ```
/// use pqc_gpu_driver::establish_channel;
/// let (host, device) = establish_channel("host", "device")?;
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// ```compile_fail,E0624
/// use pqc_gpu_driver::ChannelSession;
/// let host = ChannelSession::new([0u8; 16]);
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// ```compile_fail,E0603
/// use pqc_gpu_driver::channel::suite::AeadKey;
/// let key = AeadKey::new(&[0u8; 32]);
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
pub struct C16;

/// C17: the lifetime is not to be set, nor is there a date to write to; [`ChannelSession::policy`] gives a copy.
///
/// ```
/// let (host, _) = pqc_gpu_driver::establish_channel("host", "device")?;
/// let ttl: u32 = host.policy().ttl_seconds;
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// ```compile_fail,E0599
/// let (mut host, _) = pqc_gpu_driver::establish_channel("host", "device")?;
/// host.set_expiry("2999-01-01");
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// ```compile_fail,E0609
/// let (mut host, _) = pqc_gpu_driver::establish_channel("host", "device")?;
/// host.expires_at = String::from("2999-01-01");
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// ```compile_fail,E0616
/// let (mut host, _) = pqc_gpu_driver::establish_channel("host", "device")?;
/// host.inner;
/// # Ok::<(), pqc_gpu_driver::Error>(())
/// ```
///
/// [`ChannelSession::policy`]: crate::ChannelSession::policy
pub struct C17;

/// C23: what holds keys has no text form but the one that names direction and peer, and cannot be serialised.
///
/// ```
/// fn shows<T: std::fmt::Debug>() {}
/// shows::<pqc_gpu_driver::ChannelSession>();
/// ```
///
/// ```compile_fail,E0277
/// fn shows<T: std::fmt::Display>() {}
/// shows::<pqc_gpu_driver::ChannelSession>();
/// ```
///
/// ```compile_fail,E0277
/// fn shows<T: std::fmt::Debug>() {}
/// shows::<pqc_gpu_driver::channel::session::Pending>();
/// ```
///
/// ```compile_fail,E0277
/// fn shows<T: std::fmt::Debug>() {}
/// shows::<pqc_gpu_driver::channel::session::Sealing>();
/// ```
///
/// ```compile_fail,E0277
/// fn shows<T: std::fmt::Debug>() {}
/// shows::<pqc_gpu_driver::channel::HostHandshake>();
/// ```
///
/// ```compile_fail,E0277
/// fn serialises<T: serde::Serialize>() {}
/// serialises::<pqc_gpu_driver::ChannelSession>();
/// ```
///
/// ```compile_fail,E0277
/// fn serialises<T: serde::Serialize>() {}
/// serialises::<pqc_gpu_driver::identity::Identity>();
/// ```
pub struct C23;

/// C24: neither a session nor anything that seals or releases under its numbers can be copied.
///
/// ```
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::EncryptedTensor>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::ChannelSession>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::channel::session::Sealing>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::channel::session::Piece>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::channel::session::Pending>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::channel::HostHandshake>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::channel::handshake::DeviceAwaitsM3>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<pqc_gpu_driver::identity::Identity>();
/// ```
pub struct C24;

/// C24: a handshake's state, a piece and a reserved tensor are used up by their use.
///
/// ```
/// # use pqc_gpu_driver::channel::session::Piece;
/// fn twice(piece: Piece, plaintext: &[u8], sealed: &mut [u8]) {
///     piece.seal(plaintext, sealed);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use pqc_gpu_driver::channel::session::Piece;
/// fn twice(piece: Piece, plaintext: &[u8], sealed: &mut [u8]) {
///     piece.seal(plaintext, sealed);
///     piece.seal(plaintext, sealed);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use pqc_gpu_driver::channel::session::Pending;
/// fn twice(pending: Pending, body: &[u8]) {
///     pending.open(body);
///     pending.open(body);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use pqc_gpu_driver::channel::HostHandshake;
/// fn twice(host: HostHandshake, m2: &[u8]) {
///     host.receive_m2(m2);
///     host.receive_m2(m2);
/// }
/// ```
pub struct C24Once;

/// C30: sequence numbers are not in reach; nothing sets, skips or rewinds them.
///
/// ```
/// # fn number(tensor: &mut pqc_gpu_driver::EncryptedTensor) -> u64 {
/// tensor.header().sequence
/// # }
/// ```
///
/// ```compile_fail,E0594
/// # fn number(tensor: &mut pqc_gpu_driver::EncryptedTensor) {
/// tensor.header().sequence = 0;
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # fn number(session: &mut pqc_gpu_driver::ChannelSession) {
/// session.skip_to_sequence(0);
/// # }
/// ```
pub struct C30;

/// A tensor cannot be released by saying that it verified: the verdict is not a caller's to give.
///
/// ```
/// # fn release(pending: pqc_gpu_driver::channel::session::Pending, body: &[u8]) {
/// pending.open(body);
/// # }
/// ```
///
/// ```compile_fail,E0624
/// # fn release(mut pending: pqc_gpu_driver::channel::session::Pending, body: &[u8]) {
/// pending.commit(panic!());
/// # }
/// ```
pub struct Verdicts;

import Transport

/// Swift's message values to and from the bytes of a protobuf envelope (`Proto/ryz/v1/envelope.proto`).
///
/// The same rules hold both ways: what encodes is taken by a decoder with the same limits, and equals what went in,
/// durations to the nanosecond.
public enum Wire {
    /// The bytes of an envelope.
    ///
    /// - Throws: `WireError.invalid` for a value outside the rules, `.tooLarge` beyond the size limit.
    public static func encode(
        _ envelope: Envelope, limits: WireLimits = .standard
    ) throws(WireError) -> [UInt8] {
        try EnvelopeRules(limits: limits).check(envelope)
        return try EncodingArena().bytes(of: envelope, limit: limits.maximumEnvelopeByteCount)
    }

    /// The envelope that `bytes` hold.
    ///
    /// - Throws: any `WireError`; hostile bytes throw and cost no more than the limits allow.
    public static func decode(_ bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) -> Envelope {
        try decode(bytes.span.bytes, limits: limits)
    }

    /// The envelope that `bytes` hold.
    ///
    /// - Throws: any `WireError`; hostile bytes throw and cost no more than the limits allow.
    public static func decode(_ bytes: RawSpan, limits: WireLimits = .standard) throws(WireError) -> Envelope {
        guard bytes.byteCount <= limits.maximumEnvelopeByteCount else {
            throw .tooLarge(byteCount: bytes.byteCount, limit: limits.maximumEnvelopeByteCount)
        }
        let unpacked = try UnpackedEnvelope(bytes, limits: limits)
        let envelope = try unpacked.read(EnvelopeReader(limits: limits))
        try EnvelopeRules(limits: limits).check(envelope)
        return envelope
    }
}

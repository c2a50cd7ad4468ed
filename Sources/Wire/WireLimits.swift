import Transport

/// What an envelope may hold. Checked before anything is allocated for it, on the way out as on the way in.
public struct WireLimits: Equatable, Sendable {
    public var maximumEnvelopeByteCount = 4 << 20
    /// Memory that unpacking one envelope may take, in bytes over all allocations.
    public var maximumUnpackingByteCount = 64 << 20
    public var maximumSliceCount = 1024
    /// Over all slices of a step.
    public var maximumStepTokenCount = 65536
    public var maximumReleasedCount = 4096
    public var maximumLogitBiasCount = 1024
    /// Log-probabilities beside a sampled token.
    public var maximumTopLogProbabilityCount = 20
    /// Best tokens of each row in teacher forcing.
    public var maximumScoreTopCount = 128
    /// UTF-8 bytes of a text such as a reason or a path.
    public var maximumTextByteCount = 4096
    public var maximumEndpointByteCount = 256
    public var maximumClusterIDByteCount = 64
    public var maximumStageCount = 4096
    public var maximumLayerCount = 4096
    /// Ranks of one stage.
    public var maximumRankCount = 64
    /// KV heads, feed-forward blocks or vocabulary chunks of a model.
    public var maximumPartCount = 1 << 20
    public var maximumHostIDByteCount = 128
    public var maximumThreadCount = 4096
    /// Nodes that a keyring names.
    public var maximumKeyCount = Keyring.maximumKeyCount
    /// Files of a model.
    public var maximumFileCount = 2048
    /// Chunks of one file.
    public var maximumChunkCount = 1 << 24
    /// Sizes of messages that a link is measured with.
    public var maximumRoundTripCount = 16
    /// Positions in a sequence, and so rows in a step.
    public var maximumContextLength = 1 << 24
    public var maximumKeyValueTokenCount = 1 << 32

    public init() {}

    /// The limits that every node of a cluster uses.
    public static let standard = WireLimits()

    /// Memory that unpacking an envelope of `byteCount` bytes may take.
    ///
    /// An empty slice result is the densest honest part: 4 bytes on the wire become about 140 in memory.
    func unpackingByteCount(forEnvelopeOf byteCount: Int) -> Int {
        min(maximumUnpackingByteCount, (64 << 10) + 64 * byteCount)
    }
}

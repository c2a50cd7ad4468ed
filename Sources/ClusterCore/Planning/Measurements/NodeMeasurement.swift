public import Transport

/// What a worker measured of itself, with the kernels that it computes with and all of its threads.
public struct NodeMeasurement: Sendable, Equatable, Codable {
    public var name: String
    /// The machine it runs on. Nodes of one host share its memory bus and its cores; nil is a machine of its own.
    public var host: String?
    public var threadCount: Int
    public var memoryTotalByteCount: UInt64
    /// What weights, KV cache and workspace may take.
    public var memoryFreeByteCount: UInt64
    /// Ternary weights. Bytes are those of its layout: see `ternaryBitsPerWeight`.
    public var ternary: KernelRates
    /// All other weights, the head among them.
    public var other: KernelRates
    /// Attention to the KV cache; nil if it is as with other weights.
    public var attention: KernelRates?
    /// How its layout keeps ternary weights: 1.6 (five to a byte), 1.67 or 2.
    public var ternaryBitsPerWeight: Double
    /// What a step costs besides its layers, the head and the links.
    public var stepOverheadSeconds: Double
    /// What a layer costs besides reading weights and keys, and multiplying.
    public var layerOverheadSeconds: Double
    /// False for a node that is draining, lost or set aside: it gets no part.
    public var isAvailable: Bool

    public init(
        name: String, host: String? = nil, threadCount: Int = 1, memoryTotalByteCount: UInt64,
        memoryFreeByteCount: UInt64, ternary: KernelRates, other: KernelRates, attention: KernelRates? = nil,
        ternaryBitsPerWeight: Double = 2,
        stepOverheadSeconds: Double = 50e-6, layerOverheadSeconds: Double = 5e-6, isAvailable: Bool = true
    ) {
        self.name = name
        self.host = host
        self.threadCount = threadCount
        self.memoryTotalByteCount = memoryTotalByteCount
        self.memoryFreeByteCount = memoryFreeByteCount
        self.ternary = ternary
        self.other = other
        self.attention = attention
        self.ternaryBitsPerWeight = ternaryBitsPerWeight
        self.stepOverheadSeconds = stepOverheadSeconds
        self.layerOverheadSeconds = layerOverheadSeconds
        self.isAvailable = isAvailable
    }

    private enum CodingKeys: String, CodingKey {
        case name, host, ternary, other, attention
        case threadCount = "threads"
        case memoryTotalByteCount = "memory_total_bytes"
        case memoryFreeByteCount = "memory_free_bytes"
        case ternaryBitsPerWeight = "ternary_bits_per_weight"
        case stepOverheadSeconds = "step_overhead_seconds"
        case layerOverheadSeconds = "layer_overhead_seconds"
        case isAvailable = "available"
    }
}

/// What the nodes of one machine share. Without it they are taken to share nothing.
public struct HostMeasurement: Sendable, Equatable, Codable {
    public var name: String
    /// What its memory bus gives to all of its nodes together, in bytes a second; nil if that is no limit.
    public var bandwidthBytesPerSecond: Double?
    /// Cores that its nodes' threads run on; nil if there are enough for all.
    public var coreCount: Int?
    /// What its nodes may take together; nil if each has its own.
    public var memoryFreeByteCount: UInt64?

    public init(
        name: String, bandwidthBytesPerSecond: Double? = nil, coreCount: Int? = nil, memoryFreeByteCount: UInt64? = nil
    ) {
        self.name = name
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.coreCount = coreCount
        self.memoryFreeByteCount = memoryFreeByteCount
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case bandwidthBytesPerSecond = "bandwidth_bytes_per_second"
        case coreCount = "cores"
        case memoryFreeByteCount = "memory_free_bytes"
    }
}

/// How fast a node's kernels go through weights of one kind.
public struct KernelRates: Sendable, Equatable, Codable {
    /// Bytes of weights a second when one row goes through them, as in decoding.
    public var bytesPerSecond: Double
    /// Multiply-adds a second when many rows go through them, as in prefill.
    public var multiplyAddsPerSecond: Double

    public init(bytesPerSecond: Double, multiplyAddsPerSecond: Double) {
        self.bytesPerSecond = bytesPerSecond
        self.multiplyAddsPerSecond = multiplyAddsPerSecond
    }

    private enum CodingKeys: String, CodingKey {
        case bytesPerSecond = "bytes_per_second"
        case multiplyAddsPerSecond = "multiply_adds_per_second"
    }
}

/// What a worker measured of itself, with the kernels that it computes with and all of its threads.
public struct NodeRates: Sendable, Equatable, Codable {
    /// Ternary weights, in the layout that it takes for them.
    public var ternary: KernelRates
    /// All other weights.
    public var other: KernelRates
    /// Attention to the keys and values in the cache.
    public var attention: KernelRates
    /// How that layout keeps a ternary weight: 1.6 to 2 bits.
    public var ternaryBitsPerWeight: Double
    /// What handing a task to all threads and having it back costs.
    public var taskSeconds: Double
    /// What norms, rotations and rounding of a layer take for a row.
    public var layerSeconds: Double
    /// What all processors of its machine read from memory together.
    public var hostBytesPerSecond: Double
    /// Cores of its machine that it may run on.
    public var hostCoreCount: Int
    /// Memory of its machine that was free for weights, KV cache and workspace, its own weights counted as free.
    public var memoryFreeByteCount: UInt64

    public init(
        ternary: KernelRates, other: KernelRates, attention: KernelRates, ternaryBitsPerWeight: Double,
        taskSeconds: Double, layerSeconds: Double,
        hostBytesPerSecond: Double, hostCoreCount: Int, memoryFreeByteCount: UInt64
    ) {
        self.ternary = ternary
        self.other = other
        self.attention = attention
        self.ternaryBitsPerWeight = ternaryBitsPerWeight
        self.taskSeconds = taskSeconds
        self.layerSeconds = layerSeconds
        self.hostBytesPerSecond = hostBytesPerSecond
        self.hostCoreCount = hostCoreCount
        self.memoryFreeByteCount = memoryFreeByteCount
    }

    private enum CodingKeys: String, CodingKey {
        case ternary, other, attention
        case ternaryBitsPerWeight = "ternary_bits_per_weight"
        case taskSeconds = "task_seconds"
        case layerSeconds = "layer_seconds"
        case hostBytesPerSecond = "host_bytes_per_second"
        case hostCoreCount = "host_cores"
        case memoryFreeByteCount = "memory_free_bytes"
    }
}

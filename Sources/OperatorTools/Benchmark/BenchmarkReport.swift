/// All that `ryz bench` measures.
public struct BenchmarkReport: Encodable, Sendable {
    public var cpu: String
    public var instructionSet: String
    public var build: String
    /// Peer's program, if one was measured beside.
    public var peer: String?
    /// One for each number of threads.
    public var runs: [BenchmarkRun]

    public init(cpu: String, instructionSet: String, build: String, peer: String? = nil) {
        (self.cpu, self.instructionSet, self.build, self.peer) = (cpu, instructionSet, build, peer)
        runs = []
    }

    private enum CodingKeys: String, CodingKey {
        case cpu, build, peer, runs
        case instructionSet = "instruction_set"
    }
}

/// What was measured with one number of threads.
public struct BenchmarkRun: Encodable, Sendable {
    public var threads: Int
    public var roofs: Roofs
    public var kernels: [KernelFigures]
    public var model: ModelFigures?

    public init(threads: Int, roofs: Roofs, kernels: [KernelFigures], model: ModelFigures?) {
        (self.threads, self.roofs, self.kernels, self.model) = (threads, roofs, kernels, model)
    }
}

/// What a machine can do at most.
public struct Roofs: Encodable, Sendable {
    /// Reading memory, over all threads.
    public var readBytesPerSecond: Double
    /// 4-bit by 8-bit multiply–adds on data in the nearest cache, over all threads.
    public var dotProductsPerSecond: Double
    /// What was read.
    public var bufferByteCount: Int

    public init(readBytesPerSecond: Double, dotProductsPerSecond: Double, bufferByteCount: Int) {
        self.readBytesPerSecond = readBytesPerSecond
        self.dotProductsPerSecond = dotProductsPerSecond
        self.bufferByteCount = bufferByteCount
    }

    private enum CodingKeys: String, CodingKey {
        case readBytesPerSecond = "read_bytes_per_second"
        case dotProductsPerSecond = "multiply_adds_per_second"
        case bufferByteCount = "read_buffer_bytes"
    }
}

/// One kernel's speed.
public struct KernelFigures: Encodable, Sendable {
    /// `matvec` or `matmul`.
    public var operation: String
    public var type: String
    public var rows: Int
    public var columns: Int
    /// Activations that are multiplied at a time.
    public var batch: Int
    /// Weights that were read.
    public var bytesPerSecond: Double
    public var multiplyAddsPerSecond: Double
    /// Of reading memory for `matvec`, of dot products for `matmul`.
    public var shareOfRoof: Double

    public init(
        operation: String, type: String, rows: Int, columns: Int, batch: Int, bytesPerSecond: Double,
        multiplyAddsPerSecond: Double, shareOfRoof: Double
    ) {
        (self.operation, self.type, self.rows, self.columns, self.batch) = (operation, type, rows, columns, batch)
        self.bytesPerSecond = bytesPerSecond
        self.multiplyAddsPerSecond = multiplyAddsPerSecond
        self.shareOfRoof = shareOfRoof
    }

    private enum CodingKeys: String, CodingKey {
        case operation, type, rows, columns, batch
        case bytesPerSecond = "bytes_per_second"
        case multiplyAddsPerSecond = "multiply_adds_per_second"
        case shareOfRoof = "share_of_roof"
    }
}

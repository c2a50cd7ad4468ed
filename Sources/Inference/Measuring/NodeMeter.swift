public import Kernels
public import Transport

/// How fast this machine's kernels are with a worker's threads: measured in a second or two, and kept on disk, so that
/// a worker that is started again knows it at once.
public struct NodeMeter: Sendable {
    public var threadCount: Int
    /// Processors to pin the threads to; empty pins none.
    public var cpus: [Int32]
    public var instructionSet: InstructionSet
    /// How ternary weights are laid out; nil takes what is usually fastest.
    public var ternaryLayout: TernaryLayout?
    /// How products are computed, and weights asked for in advance; nil takes what is fastest.
    public var kernel: MatrixKernel?
    public var prefetch: Prefetch?
    /// Where figures are kept; nil keeps none.
    public var folder: String?

    public init(
        threadCount: Int, cpus: [Int32] = [], instructionSet: InstructionSet, ternaryLayout: TernaryLayout? = nil,
        kernel: MatrixKernel? = nil, prefetch: Prefetch? = nil, folder: String?
    ) {
        self.threadCount = threadCount
        self.cpus = cpus
        self.instructionSet = instructionSet
        self.ternaryLayout = ternaryLayout
        self.kernel = kernel
        self.prefetch = prefetch
        self.folder = folder
    }

    /// Changes when kernels do, or what is measured, so that it is measured anew.
    private static let version = 4
    private static let figureCount = 10
    /// Columns of a layer of some billion parameters.
    private static let columns = 2560
    /// More than the last cache of any processor for this use, and as much as one reads in some ten milliseconds.
    private static let byteCount = 256 << 20
    private static let hostRounds = 5
    /// Workers of a machine measure one after the other: together they would measure each other.
    private static let lockTimeout: Duration = .seconds(10)

    /// What was measured before on this machine, with as many threads and the same instruction set; otherwise, or if
    /// `again` is set, it is measured now. What is free of the memory is always as it is now.
    ///
    /// To be called while nothing else computes. The threads of the pool are gone when it returns.
    public func rates(again: Bool = false) throws(KernelError) -> NodeRates {
        let layouts = ternaryLayout.map { [$0] } ?? TernaryLayout.candidates(on: instructionSet)
        let files = folder.map { FigureFiles(folder: $0) }
        let key =
            "node \(Self.version); \(Processor.modelName); \(instructionSet.rawValue); \(threadCount) threads; "
            + "\(Processor.allowed.count) processors; \(cpus.isEmpty ? "free" : "pinned"); \(layouts.map(\.rawValue).joined(separator: "/"))"
            + [kernel?.rawValue, prefetch?.rawValue].compactMap { $0 }.map { "; \($0)" }.joined()
        func kept() -> NodeRates? { files?.figures(key, count: Self.figureCount).map { NodeRates(figures: $0) } }
        if !again, let rates = kept() { return rates }
        // Whoever had the lock may have measured the very same. Without a lock it is measured all the same.
        let lock = lock()
        if !again, let rates = kept() { return rates }
        let figures = try measure(layouts)
        try? files?.keep(figures, key)
        _ = consume lock
        return NodeRates(figures: figures)
    }

    private func lock() -> FileLock? {
        guard let folder else { return nil }
        let path = "\(folder)/measuring.lock"
        try? OutputFile.makeFolders(of: path)
        return FileLock(path: path, timeout: Self.lockTimeout)
    }

    private func measure(_ layouts: [TernaryLayout]) throws(KernelError) -> [Double] {
        let compute = try Compute(threadCount: threadCount, cpus: cpus, instructionSet: instructionSet)
        // As stages choose. Other models than ternary ones mostly have blocks of four bits, and heads of eight: what is slower
        // of these two is not promised too much.
        let fastest = [
            try fastest(layouts.map { TileLayout($0) }, compute), try fastest([.q4_1], compute),
            try fastest([.r8], compute),
        ]
        let decoding = try compute.rates(of: fastest, byteCount: Self.affordableByteCount, .median)
        let prefill = try compute.prefillRates(of: fastest, .median)
        let bytes = decoding.map { $0.weightsPerSecond * $0.candidate.bitsPerWeight / 8 }
        let attention = try compute.attentionRates()
        return [
            bytes[0], prefill[0], bytes.dropFirst().min() ?? 0, prefill.dropFirst().min() ?? 0,
            attention.bytesPerSecond, attention.multiplyAddsPerSecond, fastest[0].bitsPerWeight,
            try compute.taskSeconds(),
            try compute.layerSeconds(),
            max(try hostBytesPerSecond(), bytes.max() ?? 0),
        ]
    }

    private func fastest(
        _ layouts: [TileLayout], _ compute: borrowing Compute
    ) throws(KernelError) -> KernelCandidate {
        let candidates = layouts.flatMap {
            KernelCandidate.all($0, columns: Self.columns, kernel: kernel, prefetch: prefetch)
        }
        let rates = try compute.rates(of: candidates)
        let ofLayouts = layouts.compactMap { layout in
            Preference.fastest(rates.filter { $0.candidate.layout == layout })
        }
        let best = Preference.best(of: ofLayouts) {
            $0.candidate.bitsPerWeight
        } seconds: {
            1 / $0.weightsPerSecond
        }
        return best?.candidate ?? candidates[0]
    }

    private static var affordableByteCount: Int {
        max(Compute.measuredByteCount, min(byteCount, Int(clamping: Processor.memory.available / 4)))
    }

    /// What all cores read together.
    private func hostBytesPerSecond() throws(KernelError) -> Double {
        // The calling thread is pinned with the others of the pool above.
        try Processor.unpinned { () throws(KernelError) in try readBytesPerSecond() }
    }

    private func readBytesPerSecond() throws(KernelError) -> Double {
        let compute = try Compute(threadCount: Processor.topology.cores.count, instructionSet: instructionSet)
        let buffer = try ReadBuffer(byteCount: Self.affordableByteCount)
        return compute.readRate(buffer, rounds: Self.hostRounds, .median)
    }
}

extension NodeRates {
    /// - Parameter figures: as `NodeMeter` keeps them.
    fileprivate init(figures: [Double]) {
        self.init(
            ternary: KernelRates(bytesPerSecond: figures[0], multiplyAddsPerSecond: figures[1]),
            other: KernelRates(bytesPerSecond: figures[2], multiplyAddsPerSecond: figures[3]),
            attention: KernelRates(bytesPerSecond: figures[4], multiplyAddsPerSecond: figures[5]),
            ternaryBitsPerWeight: figures[6], taskSeconds: figures[7], layerSeconds: figures[8],
            hostBytesPerSecond: figures[9], hostCoreCount: Processor.topology.cores.count,
            memoryFreeByteCount: Processor.memory.available)
    }
}

extension KernelCandidate {
    /// Bits that its layout takes for a weight, scales included.
    fileprivate var bitsPerWeight: Double {
        let byteCount = layout.byteCount(rows: 16, columns: columns, groupColumns: groupColumns) ?? 0
        return Double(byteCount) * 8 / Double(16 * columns)
    }
}

import CKernels

/// A way to compute products with one row of activations: what is measured against others.
public struct KernelCandidate: Hashable, Sendable {
    public var layout: TileLayout
    public var columns: Int
    /// Columns that share a scale and a minimum; nil for layouts without groups.
    public var groupColumns: Int?
    public var kernel: MatrixKernel
    public var prefetch: Prefetch

    public init(
        layout: TileLayout, columns: Int, groupColumns: Int? = nil, kernel: MatrixKernel, prefetch: Prefetch? = nil
    ) {
        (self.layout, self.columns, self.groupColumns) = (layout, columns, groupColumns)
        (self.kernel, self.prefetch) = (kernel, prefetch ?? .usual(for: layout))
    }

    /// All ways to compute products with a matrix of that shape, or those of one kernel or prefetch.
    public static func all(
        _ layout: TileLayout, columns: Int, groupColumns: Int? = nil, kernel: MatrixKernel? = nil,
        prefetch: Prefetch? = nil
    ) -> [KernelCandidate] {
        let kernels = layout.kernels.count > 1 ? kernel.map { [$0] } ?? layout.kernels : layout.kernels
        return kernels.flatMap { kernel in
            (prefetch.map { [$0] } ?? Prefetch.allCases).map {
                KernelCandidate(
                    layout: layout, columns: columns, groupColumns: groupColumns, kernel: kernel, prefetch: $0)
            }
        }
    }
}

/// How fast a candidate is.
public struct KernelRate: Equatable, Sendable {
    public var candidate: KernelCandidate
    /// Weights a second, from memory; one multiply–add each.
    public var weightsPerSecond: Double

    public init(candidate: KernelCandidate, weightsPerSecond: Double) {
        (self.candidate, self.weightsPerSecond) = (candidate, weightsPerSecond)
    }
}

extension TileLayout {
    /// The kernels that products with one row of activations can take: more than one where sums can be looked up.
    public var kernels: [MatrixKernel] { self == .l3 || hasGroups ? MatrixKernel.allCases : [.multiplyAdd] }
}

extension Compute {
    /// Which of several rounds counts.
    public enum Round: Sendable {
        /// To tell candidates apart: what else the machine does can only slow them down.
        case best
        /// To say what can be expected.
        case median

        func of(_ rates: [Double]) -> Double {
            let sorted = rates.sorted()
            return (self == .best ? sorted.last : sorted.dropFirst((sorted.count - 1) / 2).first) ?? 0
        }
    }

    /// How fast these threads get through the weights of each candidate, one row of activations at a time.
    ///
    /// It is measured on weights that come from memory, a few milliseconds for each, in rounds, so that what else the machine
    /// does meets all of them alike; what is chosen by it changes no bit of the results.
    /// - Parameter byteCount: weights of each candidate; more than the caches hold.
    public func rates(
        of candidates: [KernelCandidate], byteCount: Int = Self.measuredByteCount, _ round: Round = .best
    ) throws(KernelError) -> [KernelRate] {
        let rates = try rates(of: candidates, activationRows: 1, byteCount: byteCount, round)
        return zip(candidates, rates).map { KernelRate(candidate: $0, weightsPerSecond: $1) }
    }

    /// Multiply–adds a second with as many rows of activations as a prefill has, for each candidate's layout.
    public func prefillRates(of candidates: [KernelCandidate], _ round: Round = .best) throws(KernelError) -> [Double] {
        try rates(
            of: candidates, activationRows: Self.prefillRowCount, byteCount: Self.measuredByteCount, round)
    }

    private func rates(
        of candidates: [KernelCandidate], activationRows: Int, byteCount: Int, _ round: Round
    ) throws(KernelError) -> [Double] {
        let memories = try Self.memories(for: candidates, activationRows: activationRows, byteCount: byteCount)
        var rates = [[Double]](repeating: [], count: candidates.count)
        let deadline = ContinuousClock.now + Self.budget * candidates.count * max(1, byteCount / Self.measuredByteCount)
        var turn = 0
        for number in 0..<Self.rounds where number == 0 || ContinuousClock.now < deadline {
            for (index, candidate) in candidates.enumerated() {
                let memory = memories[turn % memories.count]
                rates[index].append(try multiplyAddRate(of: candidate, activationRows: activationRows, memory))
                turn += 1
            }
        }
        return rates.map(round.of)
    }

    /// Seconds that it takes to hand a task to all threads and to have it back from the last of them, besides the task.
    public func taskSeconds() throws(KernelError) -> Double {
        let candidate = KernelCandidate(layout: .q8_0, columns: 32, kernel: .multiplyAdd)
        let memory = try WeightMemory(byteCount: try Self.tileByteCount(candidate), purpose: "measuring kernels")
        let input = try activations(for: candidate, rows: 1)
        let output = try Tensor(rows: 1, columns: 16)
        let all = Self.best {
            _ = seconds(candidate, matrixRows: 16, input, 1, output, memory, repetitions: Self.taskRepetitions)
        }
        return all / Double(Self.taskRepetitions)
    }

    /// Bytes of the tiles of 16 rows.
    private static func tileByteCount(_ candidate: KernelCandidate) throws(KernelError) -> Int {
        let byteCount = candidate.layout.byteCount(
            rows: 16, columns: candidate.columns, groupColumns: candidate.groupColumns)
        guard let byteCount else {
            throw .shape("\(candidate.columns) columns have no tiles \(candidate.layout.rawValue)")
        }
        return byteCount
    }

    /// For one row of activations several, to be read in turn, so that nothing is left of one in a cache when it is read
    /// again; for more, what they go through. In all layouts they stand for finite weights. Written, so that every page is
    /// really there.
    private static func memories(
        for candidates: [KernelCandidate], activationRows: Int, byteCount: Int
    ) throws(KernelError) -> [WeightMemory] {
        var byteCount = activationRows == 1 ? byteCount : 0
        for candidate in candidates {
            let tileCount = activationRows == 1 ? 1 : max(1, prefillWeightCount / candidate.columns / 16)
            byteCount = max(byteCount, try tileByteCount(candidate) * tileCount)
        }
        let wanted = activationRows == 1 ? allMemoriesByteCount : 0
        let affordable = min(wanted, Int(clamping: Processor.memory.available / 4))
        var memories: [WeightMemory] = []
        repeat {
            let memory = try WeightMemory(byteCount: byteCount, purpose: "measuring kernels")
            memory.base.initializeMemory(as: UInt8.self, repeating: 0x55, count: memory.byteCount)
            memories.append(memory)
        } while (memories.count + 1) * byteCount <= affordable
        return memories
    }

    private func activations(
        for candidate: KernelCandidate, rows: Int
    ) throws(KernelError) -> Activations {
        var input = try Activations(
            rows: rows, columns: candidate.columns, grouping: candidate.layout.isTernary ? .rows : .blocks)
        for row in 0..<rows {
            for column in 0..<candidate.columns { input.assign(row: row, column: column, Float(column % 17) - 8) }
        }
        quantise(&input, rows: rows)
        return input
    }

    /// One row goes through all of the memory, several through as much as takes some ten milliseconds.
    private func multiplyAddRate(
        of candidate: KernelCandidate, activationRows: Int, _ memory: WeightMemory
    ) throws(KernelError) -> Double {
        let held = memory.byteCount / (try Self.tileByteCount(candidate)) * 16
        let wanted = Self.prefillWeightCount / candidate.columns / 16 * 16
        let matrixRows = activationRows == 1 ? held : max(16, min(held, wanted))
        let input = try activations(for: candidate, rows: activationRows)
        let output = try Tensor(rows: activationRows, columns: matrixRows)
        let seconds = seconds(candidate, matrixRows: matrixRows, input, activationRows, output, memory, repetitions: 1)
        return Double(activationRows * matrixRows * candidate.columns) / max(seconds, 1e-9)
    }

    private func seconds(
        _ candidate: KernelCandidate, matrixRows: Int, _ input: borrowing Activations, _ activationRows: Int,
        _ output: borrowing Tensor, _ memory: WeightMemory, repetitions: Int
    ) -> Double {
        let matrix = ryz_matrix(
            tiles: UnsafeRawPointer(memory.base), layout: candidate.layout.code, rows: matrixRows,
            columns: candidate.columns, segment_blocks: 0, scale: 1,
            group_blocks: (candidate.groupColumns ?? 0) / 32, look_up: candidate.kernel == .lookUp,
            prefetch: candidate.prefetch.code)
        var product = ryz_product(matrix: matrix, y: output.pointer(0), y_stride: output.columns, mode: RYZ_STORE)
        let view = input.view()
        let time = ContinuousClock().measure {
            for _ in 0..<repetitions { ryz_multiply(raw, &product, 1, view, activationRows) }
        }
        return time / .seconds(1)
    }

    /// More than the last cache of most processors holds.
    public static var measuredByteCount: Int { 64 << 20 }
    private static var allMemoriesByteCount: Int { 256 << 20 }
    private static var rounds: Int { 5 }
    /// Of each candidate and so much memory; no further round begins after that: slow kernels are measured as exactly in fewer.
    private static var budget: Duration { .milliseconds(25) }
    private static var prefillRowCount: Int { 64 }
    /// Times the rows, some hundred million multiply–adds.
    private static var prefillWeightCount: Int { 1 << 21 }
    private static var taskRepetitions: Int { 200 }
}

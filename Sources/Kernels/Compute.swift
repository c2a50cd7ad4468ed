import CKernels
import Glibc

/// A pool of pinned threads and the kernels that run on them. The thread that makes one is its first thread, and the
/// only one that may call it. Operations return when all threads are done; between them the other threads wait,
/// first spinning, then asleep.
public struct Compute: ~Copyable {
    public let instructionSet: InstructionSet
    public let threadCount: Int
    let raw: ryz_compute
    private let attentionScratch: Memory
    private let lookUpTables: Memory
    private let headDimension: Int

    /// - Parameters:
    ///   - cpus: processors to pin the threads to, at least `threadCount`; empty pins none.
    ///   - headDimension: the widest attention head that will be computed.
    public init(
        threadCount: Int, cpus: [Int32] = [], instructionSet: InstructionSet, headDimension: Int = 128
    ) throws(KernelError) {
        guard (1...1024).contains(threadCount), cpus.isEmpty || cpus.count >= threadCount else {
            throw .threads(count: threadCount, reason: "1 to 1024 are possible, with a processor for each")
        }
        let attentionScratch = try Memory(
            byteCount: threadCount * ryz_attention_scratch_floats(headDimension) * 4, purpose: "attention")
        let lookUpTables = try Memory(byteCount: Self.lookUpTableByteCount, purpose: "look-up tables")
        let pool = cpus.isEmpty ? ryz_pool_create(Int32(threadCount), nil) : ryz_pool_create(Int32(threadCount), cpus)
        guard let pool else { throw .threads(count: threadCount, reason: String(cString: strerror(errno))) }
        self.attentionScratch = attentionScratch
        self.instructionSet = instructionSet
        self.threadCount = threadCount
        self.headDimension = headDimension
        raw = ryz_compute(
            pool: pool, kernels: ryz_kernels_for(instructionSet.code),
            tables: lookUpTables.base.assumingMemoryBound(to: UInt8.self), table_bytes: lookUpTables.byteCount)
        self.lookUpTables = lookUpTables
    }

    /// Enough for 131,072 columns of bit planes, or 98,304 of ternary triples; beyond that, products are multiplied and
    /// added, with the same result. Pages that are never touched cost nothing.
    private static var lookUpTableByteCount: Int { 1 << 20 }

    deinit { ryz_pool_destroy(raw.pool) }

    /// output row `firstOutputRow + r` = RMS norm (Zhang and Sennrich, 2019) of input row `firstRow + r`, quantised.
    public func normalise(
        _ input: borrowing Tensor, firstRow: Int = 0, rows: Int, weight: borrowing Tensor, epsilon: Float,
        into output: inout Activations, firstOutputRow: Int = 0
    ) {
        precondition(input.columns == output.columns && weight.columns == input.columns)
        precondition(rows > 0 && firstRow + rows <= input.rows && firstOutputRow + rows <= output.rows)
        ryz_rms_norm(
            raw, input.pointer(firstRow), weight.pointer(0), output.values.pointer(firstOutputRow), rows, input.columns,
            epsilon)
        ryz_quantise(raw, output.view(from: firstOutputRow), rows)
    }

    /// Makes the int8 form of the first `rows` rows from their float32 values.
    public func quantise(_ activations: inout Activations, rows: Int) {
        precondition(rows <= activations.rows)
        ryz_quantise(raw, activations.view(), rows)
    }

    /// output = matrix · input, or output += matrix · input, row by row. Input rows begin at `firstRow`, output rows at 0.
    public func multiply(
        _ matrix: borrowing PackedMatrix, _ input: borrowing Activations, firstRow: Int = 0, rows: Int,
        into output: inout Tensor, adding: Bool = false
    ) {
        precondition(matrix.columns == input.columns && matrix.rows <= output.columns && matrix.takes(input))
        precondition(rows > 0 && firstRow + rows <= input.rows && rows <= output.rows)
        let mode = adding ? RYZ_ACCUMULATE : RYZ_STORE
        matrix.withProducts(y: output.pointer(0), stride: output.columns, mode: mode) { products, count in
            ryz_multiply(raw, products, count, input.view(from: firstRow), rows)
        }
    }

    /// output = activation(gate · input) ⊙ (up · input): the gated feed-forward layer's first half, not quantised yet.
    public func multiplyGated(
        _ activation: GateActivation, gate: borrowing PackedMatrix, up: borrowing PackedMatrix,
        _ input: borrowing Activations, rows: Int, into output: inout Activations
    ) {
        precondition(gate.takes(input) && up.takes(input))
        precondition(gate.columns == input.columns && up.columns == input.columns && gate.rows == up.rows)
        precondition(gate.rows == output.columns && rows > 0 && rows <= input.rows && rows <= output.rows)
        ryz_multiply_gated(
            raw, activation.code, gate.matrix, up.matrix, input.view(), output.values.pointer(0), output.columns, rows)
    }

    /// Tells what is multiplied after the product that comes next: threads that have nothing to do before it fetch the
    /// beginnings of their parts, so that memory does not idle between products. It changes no result; a single thread never waits.
    public func foresee(_ matrix: borrowing PackedMatrix) {
        guard threadCount > 1 else { return }
        matrix.withProducts(y: nil, stride: 0, mode: RYZ_STORE) { products, count in
            ryz_foresee(raw, products, count)
        }
    }

    /// The same of both matrices of `multiplyGated`.
    public func foresee(gate: borrowing PackedMatrix, up: borrowing PackedMatrix) {
        guard threadCount > 1 else { return }
        ryz_foresee_gated(raw, gate.matrix, up.matrix)
    }

    /// Rotates the queries in `queryKeyValue` in place, and stores rotated keys, and values, in the cache.
    /// Rows hold all query heads, then all key heads, then all value heads.
    public func rotateAndStore(
        _ queryKeyValue: inout Tensor, queryHeadCount: Int, rotary: borrowing RotaryTable,
        cache: borrowing KeyValueCache, layer: Int, plan: borrowing AttentionPlan
    ) {
        check(queryKeyValue, queryHeadCount, cache, plan)
        precondition(plan.endPosition <= rotary.positions && rotary.rotatedDimension <= cache.headDimension)
        ryz_rope_store(
            raw, rotary.view, cache.layer(layer), plan.spans.baseAddress, plan.spans.count, queryKeyValue.pointer(0),
            queryKeyValue.columns, queryHeadCount)
    }

    /// output = softmax(scale · queries · keysᵀ) · values for each row over its sequence so far, not quantised yet.
    public func attend(
        _ queryKeyValue: borrowing Tensor, queryHeadCount: Int, scale: Float, cache: borrowing KeyValueCache,
        layer: Int, plan: borrowing AttentionPlan, into output: inout Activations
    ) {
        check(queryKeyValue, queryHeadCount, cache, plan)
        precondition(output.columns == queryHeadCount * cache.headDimension && plan.rowCount <= output.rows)
        precondition(cache.headDimension <= headDimension)
        ryz_attend(
            raw, cache.layer(layer), plan.spans.baseAddress, plan.spans.count, queryKeyValue.pointer(0),
            queryKeyValue.columns, queryHeadCount, scale, output.values.pointer(0), output.columns,
            attentionScratch.floats())
    }

    private func check(
        _ queryKeyValue: borrowing Tensor, _ queryHeadCount: Int, _ cache: borrowing KeyValueCache,
        _ plan: borrowing AttentionPlan
    ) {
        precondition(queryHeadCount > 0 && queryHeadCount % cache.headCount == 0)
        precondition(queryKeyValue.columns >= (queryHeadCount + 2 * cache.headCount) * cache.headDimension)
        precondition(plan.rowCount > 0 && plan.rowCount <= queryKeyValue.rows && plan.fits(cache))
    }
}

/// What is done to the gate of a gated feed-forward layer (Shazeer, 2020).
public enum GateActivation: Sendable {
    /// g / (1 + exp(−g)): SwiGLU.
    case silu
    /// max(g, 0)², as BitNet b1.58 2B4T has it.
    case squaredReLU

    var code: ryz_gate {
        switch self {
        case .silu: RYZ_SILU
        case .squaredReLU: RYZ_SQUARED_RELU
        }
    }
}

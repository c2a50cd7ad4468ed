import Foundation
import TestSupport
import Testing

@testable import Kernels

@Suite struct MatrixTests {
    /// matrix · rows, with the given kernels, threads and split of the rows into calls.
    private func product(
        _ matrix: TestMatrix, _ rows: [[Float]], instructionSet: InstructionSet = .best, threads: Int = 1,
        segmentColumns: Int? = nil, chunk: Int = 1000, prefetch: Prefetch? = nil
    ) throws -> [UInt32] {
        let compute = try Compute(threadCount: threads, instructionSet: instructionSet)
        var packed = try PackedMatrix([matrix.source], segmentColumns: segmentColumns)
        packed.prefetch = prefetch
        var bits: [UInt32] = []
        for first in stride(from: 0, to: rows.count, by: chunk) {
            var activations = try makeActivations(Array(rows[first..<min(first + chunk, rows.count)]))
            compute.quantise(&activations, rows: activations.rows)
            var output = try Tensor(rows: activations.rows, columns: (matrix.source.rows + 15) / 16 * 16)
            compute.multiply(packed, activations, rows: activations.rows, into: &output)
            for row in 0..<activations.rows {
                bits += output.values(row: row).prefix(matrix.source.rows).map(\.bitPattern)
            }
        }
        return bits
    }

    @Test(arguments: WeightType.allCases, [nil, 64])
    func `products are the same bits on every instruction set, thread count and chunk`(
        type: WeightType, segmentColumns: Int?
    ) throws {
        let matrix = try TestMatrix(type, rows: 72, columns: 160)
        let rows = randomRows(11, 160)
        let expected = try product(matrix, rows, instructionSet: .portable, segmentColumns: segmentColumns)
        for instructionSet in availableInstructionSets {
            for (threads, chunk) in [(1, 1), (2, 3), (3, 7), (5, 11)] {
                let bits = try product(
                    matrix, rows, instructionSet: instructionSet, threads: threads, segmentColumns: segmentColumns,
                    chunk: chunk)
                #expect(bits == expected, "\(instructionSet), \(threads) threads, chunks of \(chunk)")
            }
            for prefetch in Prefetch.allCases {
                let bits = try product(
                    matrix, rows, instructionSet: instructionSet, segmentColumns: segmentColumns, chunk: 1,
                    prefetch: prefetch)
                #expect(bits == expected, "\(instructionSet), prefetch \(prefetch)")
            }
        }
    }

    @Test(arguments: WeightType.allCases, [nil, 32])
    func `products are as close to exact arithmetic as float32 allows`(type: WeightType, segmentColumns: Int?) throws {
        let matrix = try TestMatrix(type, rows: 33, columns: 128)
        let rows = randomRows(3, 128)
        let weights = try matrix.decoded()
        let bits = try product(matrix, rows, segmentColumns: segmentColumns)
        for (row, values) in rows.enumerated() {
            let inputs = type.isQuantised ? quantiseByDefinition(values) : values.map(Double.init)
            for output in 0..<33 {
                var exact = 0.0
                var magnitude = 0.0
                for (weight, input) in zip(weights[output], inputs) {
                    exact += Double(weight) * input
                    magnitude += abs(Double(weight) * input)
                }
                let value = Double(Float(bitPattern: bits[row * 33 + output]))
                #expect(abs(value - exact) <= 1e-6 * magnitude, "row \(row), output \(output)")
            }
        }
    }

    /// Blocks of 32: d = max|x| ⁄ 127, x ≈ d · round(x ⁄ d).
    private func quantiseByDefinition(_ values: [Float]) -> [Double] {
        stride(from: 0, to: values.count, by: 32).flatMap { first in
            let block = values[first..<first + 32]
            let largest = block.map(abs).max()!
            let (scale, inverse) = (largest / 127, 127 / largest)
            return block.map { Double(scale) * Double(($0 * inverse).rounded(.toNearestOrEven)) }
        }
    }

    @Test func `stacked matrices give what each gives alone`() throws {
        let first = try TestMatrix(.q4_1, rows: 32, columns: 64, seed: 1)
        let second = try TestMatrix(.q8_0, rows: 16, columns: 64, seed: 2)
        let third = try TestMatrix(.f16, rows: 24, columns: 64, seed: 3)
        let rows = randomRows(2, 64)
        let compute = try Compute(threadCount: 3, instructionSet: .best)
        var activations = try makeActivations(rows)
        compute.quantise(&activations, rows: 2)
        var output = try Tensor(rows: 2, columns: 80)
        compute.multiply(
            try PackedMatrix([first.source, second.source, third.source]), activations, rows: 2, into: &output)
        let alone = try [first, second, third].map { try product($0, rows) }
        for row in 0..<2 {
            let expected =
                alone[0][row * 32..<row * 32 + 32] + alone[1][row * 16..<row * 16 + 16]
                + alone[2][row * 24..<row * 24 + 24]
            #expect(output.values(row: row).prefix(72).map(\.bitPattern) == Array(expected))
        }
    }

    @Test func `adding accumulates on what is there`() throws {
        let matrix = try TestMatrix(.q4_0, rows: 16, columns: 32)
        let compute = try Compute(threadCount: 1, instructionSet: .best)
        var activations = try makeActivations(randomRows(1, 32))
        compute.quantise(&activations, rows: 1)
        var product = try Tensor(rows: 1, columns: 16)
        var sum = try makeTensor([(0..<16).map(Float.init)])
        let packed = try PackedMatrix([matrix.source])
        compute.multiply(packed, activations, rows: 1, into: &product)
        compute.multiply(packed, activations, rows: 1, into: &sum, adding: true)
        for column in 0..<16 { #expect(sum[0, column] == Float(column) + product[0, column]) }
    }

    @Test func `the gated product is silu of one times the other`() throws {
        let gate = try TestMatrix(.q4_1, rows: 64, columns: 64, seed: 4)
        let up = try TestMatrix(.q4_1, rows: 64, columns: 64, seed: 5)
        let rows = randomRows(5, 64, bound: 20)
        let gates = try product(gate, rows).map { Double(Float(bitPattern: $0)) }
        let ups = try product(up, rows).map { Double(Float(bitPattern: $0)) }
        for instructionSet in availableInstructionSets {
            let compute = try Compute(threadCount: 2, instructionSet: instructionSet)
            var activations = try makeActivations(rows)
            compute.quantise(&activations, rows: 5)
            var output = try Activations(rows: 5, columns: 64)
            compute.multiplyGated(
                .silu,
                gate: try PackedMatrix([gate.source]), up: try PackedMatrix([up.source]), activations, rows: 5,
                into: &output)
            for (index, value) in (0..<5).flatMap({ output.values(row: $0) }).enumerated() {
                let expected = gates[index] / (1 + exp(-gates[index])) * ups[index]
                #expect(abs(Double(value) - expected) <= 1e-6 * max(abs(expected), 1e-3))
            }
        }
    }

    @Test func `a matrix that is not whole blocks is refused`() throws {
        let file = try TemporaryFile([UInt8](repeating: 0, count: 4096))
        let mapped = try MappedFile(path: file.path)
        #expect(throws: KernelError.self) {
            try WeightSource(name: "w", file: mapped, byteOffset: 0, type: .q4_1, rows: 2, columns: 40)
        }
        #expect(throws: KernelError.self) {
            try WeightSource(name: "w", file: mapped, byteOffset: 4000, type: .f32, rows: 2, columns: 32)
        }
    }
}

extension WeightType {
    fileprivate var isQuantised: Bool {
        switch self {
        case .q8_0, .q4_0, .q4_1: true
        case .f32, .f16, .bf16: false
        }
    }
}

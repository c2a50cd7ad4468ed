import Foundation
import TestSupport

@testable import Kernels

/// The instruction sets that this machine can run.
let availableInstructionSets = InstructionSet.allCases.filter { $0 <= InstructionSet.best }

extension WeightType {
    var testType: TinyLlama.WeightType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        }
    }
}

/// A random matrix in a file of its own.
struct TestMatrix {
    let file: TemporaryFile
    let source: WeightSource

    init(_ type: WeightType, rows: Int, columns: Int, seed: UInt64 = 1) throws {
        var random = SeededGenerator(seed: seed)
        file = try TemporaryFile(TinyLlama.weights(rows: rows, columns: columns, type.testType, &random))
        source = try WeightSource(
            name: "test", file: MappedFile(path: file.path), byteOffset: 0, type: type, rows: rows, columns: columns)
    }

    /// The weights as float32, row by row.
    func decoded() throws -> [[Float]] {
        var tensor = try Tensor(rows: source.rows, columns: source.columns)
        for row in 0..<source.rows { source.decode(row: row, into: &tensor, row: row) }
        return (0..<source.rows).map { tensor.values(row: $0) }
    }
}

/// Random rows between −`bound` and `bound`.
func randomRows(_ rows: Int, _ columns: Int, bound: Float = 2, seed: UInt64 = 7) -> [[Float]] {
    var random = SeededGenerator(seed: seed)
    return (0..<rows).map { _ in (0..<columns).map { _ in Float.random(in: -bound...bound, using: &random) } }
}

func makeActivations(_ rows: [[Float]]) throws -> Activations {
    var activations = try Activations(rows: rows.count, columns: rows[0].count)
    for (index, row) in rows.enumerated() { activations.assign(row: index, row) }
    return activations
}

func makeTensor(_ rows: [[Float]]) throws -> Tensor {
    var tensor = try Tensor(rows: rows.count, columns: rows[0].count)
    for (row, values) in rows.enumerated() {
        for (column, value) in values.enumerated() { tensor[row, column] = value }
    }
    return tensor
}

extension Tensor {
    /// All bits, row after row.
    var bits: [UInt32] { (0..<rows).flatMap { values(row: $0).map(\.bitPattern) } }
}

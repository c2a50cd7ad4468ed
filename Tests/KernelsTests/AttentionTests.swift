import Foundation
import TestSupport
import Testing

@testable import Kernels

@Suite struct AttentionTests {
    private let queryHeads = 6
    private let keyValueHeads = 2
    private let dimension = 32
    private var columns: Int { (queryHeads + 2 * keyValueHeads) * dimension }

    /// Attention of all rows as one sequence, in chunks; the values of all rows.
    private func attend(
        _ rows: [[Float]], chunks: [Int], instructionSet: InstructionSet = .best, threads: Int = 1,
        blocks: [UInt32] = [0, 1, 2, 3], pairsHalves: Bool = false
    ) throws -> [[Float]] {
        let compute = try Compute(threadCount: threads, instructionSet: instructionSet)
        let cache = try KeyValueCache(
            blockCount: 8, layerCount: 2, headCount: keyValueHeads, headDimension: dimension)
        let rotary = try RotaryTable(
            base: 10_000, positionScale: 1, rotatedDimension: dimension, frequencyFactors: nil,
            pairsHalves: pairsHalves, positions: 1024)
        var result: [[Float]] = []
        var start = 0
        for chunk in chunks {
            var input = try makeTensor(Array(rows[start..<start + chunk]))
            let plan = try AttentionPlan([.init(rowCount: chunk, startPosition: start, blocks: blocks)])
            var output = try Activations(rows: chunk, columns: queryHeads * dimension)
            compute.rotateAndStore(
                &input, queryHeadCount: queryHeads, rotary: rotary, cache: cache, layer: 1, plan: plan)
            compute.attend(
                input, queryHeadCount: queryHeads, scale: 0.2, cache: cache, layer: 1, plan: plan, into: &output)
            result += (0..<chunk).map { output.values(row: $0) }
            start += chunk
        }
        return result
    }

    @Test func `attention is the same bits for every chunking, instruction set, thread count and block order`() throws {
        let rows = randomRows(600, columns)
        let expected = try attend(rows, chunks: [600])
        for instructionSet in availableInstructionSets {
            let once = try attend(
                rows, chunks: [1, 7, 248, 1, 300, 43], instructionSet: instructionSet, threads: 3,
                blocks: [5, 0, 7, 2])
            #expect(once == expected, "\(instructionSet)")
        }
        let stepwise = try attend(Array(rows.prefix(270)), chunks: [Int](repeating: 1, count: 270), threads: 2)
        #expect(stepwise == Array(expected.prefix(270)))
    }

    @Test(arguments: [false, true])
    func `attention is near the definition in double precision`(pairsHalves: Bool) throws {
        let rows = randomRows(300, columns)
        let result = try attend(rows, chunks: [300], pairsHalves: pairsHalves)
        let rotated = rows.enumerated().map { position, row in
            (0..<queryHeads + keyValueHeads).map { head in
                rotate(Array(row[head * dimension..<(head + 1) * dimension]), position, pairsHalves)
            }
        }
        for position in [0, 1, 15, 16, 255, 256, 299] {
            for head in 0..<queryHeads {
                let group = head / (queryHeads / keyValueHeads)
                let scores = (0...position).map { key in
                    0.2 * zip(rotated[position][head], rotated[key][queryHeads + group]).reduce(0) { $0 + $1.0 * $1.1 }
                }
                let largest = scores.max()!
                let weights = scores.map { exp($0 - largest) }
                let sum = weights.reduce(0, +)
                for d in 0..<dimension {
                    let column = (queryHeads + keyValueHeads + group) * dimension + d
                    let exact = (0...position).reduce(0.0) { $0 + weights[$1] / sum * Double(rows[$1][column]) }
                    // Keys and values are kept in float16.
                    #expect(abs(Double(result[position][head * dimension + d]) - exact) < 4e-3)
                }
            }
        }
    }

    private func rotate(_ head: [Float], _ position: Int, _ pairsHalves: Bool) -> [Double] {
        var result = head.map(Double.init)
        for i in 0..<dimension / 2 {
            let angle = Double(position) * pow(10_000, -Double(2 * i) / Double(dimension))
            let (a, b) = pairsHalves ? (i, i + dimension / 2) : (2 * i, 2 * i + 1)
            let (x, y) = (result[a], result[b])
            result[a] = x * cos(angle) - y * sin(angle)
            result[b] = y * cos(angle) + x * sin(angle)
        }
        return result
    }

    @Test func `sequences in one batch do not see each other`() throws {
        let rows = randomRows(40, columns)
        let alone = try attend(rows, chunks: [40])
        let compute = try Compute(threadCount: 2, instructionSet: .best)
        let cache = try KeyValueCache(
            blockCount: 8, layerCount: 1, headCount: keyValueHeads, headDimension: dimension)
        let rotary = try RotaryTable(
            base: 10_000, positionScale: 1, rotatedDimension: dimension, frequencyFactors: nil, pairsHalves: false,
            positions: 64)
        var input = try makeTensor(randomRows(9, columns, seed: 99) + rows)
        let plan = try AttentionPlan([
            .init(rowCount: 9, startPosition: 0, blocks: [3]), .init(rowCount: 40, startPosition: 0, blocks: [1]),
        ])
        var output = try Activations(rows: 49, columns: queryHeads * dimension)
        compute.rotateAndStore(&input, queryHeadCount: queryHeads, rotary: rotary, cache: cache, layer: 0, plan: plan)
        compute.attend(
            input, queryHeadCount: queryHeads, scale: 0.2, cache: cache, layer: 0, plan: plan, into: &output)
        #expect((9..<49).map { output.values(row: $0) } == alone)
    }

    @Test func `a plan without enough blocks is refused`() {
        #expect(throws: KernelError.self) {
            _ = try AttentionPlan([.init(rowCount: 2, startPosition: 255, blocks: [0])]).rowCount
        }
    }
}

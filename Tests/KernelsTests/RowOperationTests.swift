import Foundation
import TestSupport
import Testing

@testable import Kernels

@Suite struct RowOperationTests {
    @Test func `norms are the same bits everywhere and near exact arithmetic`() throws {
        let rows = randomRows(40, 576)
        let weights = randomRows(1, 576, seed: 3)
        let input = try makeTensor(rows)
        let weight = try makeTensor(weights)
        var reference: [Float]?
        for instructionSet in availableInstructionSets {
            for threads in [1, 3] {
                let compute = try Compute(threadCount: threads, instructionSet: instructionSet)
                var output = try Activations(rows: 40, columns: 576)
                compute.normalise(input, rows: 40, weight: weight, epsilon: 1e-5, into: &output)
                let values = (0..<40).flatMap { output.values(row: $0) }
                if let reference { #expect(values == reference) } else { reference = values }
            }
        }
        for (row, values) in rows.enumerated() {
            let mean = values.reduce(0.0) { $0 + Double($1) * Double($1) } / 576
            for (column, value) in values.enumerated() {
                let exact = Double(value) / (mean + 1e-5).squareRoot() * Double(weights[0][column])
                #expect(abs(Double(reference![row * 576 + column]) - exact) <= 1e-6 * max(abs(exact), 1e-3))
            }
        }
    }

    @Test func `weights are exponentials, alike everywhere, over the whole range`() throws {
        let values = (0..<1000).map { Float($0) / 1000 * -86 }
        let tensor = try makeTensor([values + [Float](repeating: 0, count: 8)])
        var reference: [Float]?
        for instructionSet in availableInstructionSets {
            let compute = try Compute(threadCount: 1, instructionSet: instructionSet)
            var weights = try Tensor(rows: 1, columns: 1008)
            compute.weigh(tensor, row: 0, count: 1000, maximum: 0.5, scale: 0.9, into: &weights)
            let result = Array(weights.values(row: 0).prefix(1000))
            if let reference { #expect(result == reference) } else { reference = result }
        }
        for (value, weight) in zip(values, reference!) {
            let exact = exp(Double((value - 0.5) * 0.9))
            #expect(abs(Double(weight) - exact) <= 3e-7 * exact)
        }
    }

    @Test func `the summary of logits is their maximum and logarithm of sums`() throws {
        let logits = randomRows(1, 1616, bound: 12)[0]
        let tensor = try makeTensor([logits])
        var reference: LogitSummary?
        for instructionSet in availableInstructionSets {
            let compute = try Compute(threadCount: 1, instructionSet: instructionSet)
            let summary = compute.summarise(tensor, row: 0, count: 1601)
            if let reference {
                #expect(summary.logSumExp == reference.logSumExp && summary.best == reference.best)
            }
            reference = summary
        }
        let values = logits.prefix(1601)
        let exact = log(values.reduce(0.0) { $0 + exp(Double($1)) })
        #expect(abs(reference!.logSumExp - exact) < 1e-6)
        #expect(reference!.maximum == values.max())
        #expect(Int(reference!.best) == values.firstIndex(of: values.max()!))
    }

    @Test func `the best indices are sorted, the lower one first on ties`() throws {
        var random = SeededGenerator(seed: 5)
        let logits = (0..<512).map { _ in Float(Int.random(in: 0..<60, using: &random)) }
        let tensor = try makeTensor([logits])
        let compute = try Compute(threadCount: 1, instructionSet: .best)
        let sorted = (0..<500).sorted { (-logits[$0], $0) < (-logits[$1], $1) }.map(Int32.init)
        for k in [0, 1, 2, 17, 499, 500, 900] {
            #expect(compute.topIndices(tensor, row: 0, count: 500, k: k) == Array(sorted.prefix(k)))
        }
    }

    @Test func `a weight is picked where the running sum passes the target`() throws {
        let weights = (0..<1600).map { Float($0 % 3) }
        let tensor = try makeTensor([weights])
        #expect(tensor.weightSum(row: 0, count: 1600) == weights.reduce(0.0) { $0 + Double($1) })
        var running = 0.0
        for (index, weight) in weights.enumerated() where weight > 0 {
            #expect(tensor.pick(row: 0, count: 1600, target: running) == Int32(index))
            running += Double(weight)
        }
        #expect(tensor.pick(row: 0, count: 1600, target: running) == 1598 + 0)
    }

    @Test func `a pool runs a task on every thread, over and over`() throws {
        let buffer = try ReadBuffer(byteCount: 1 << 16)
        for threads in [1, 2, 4, 7] {
            let compute = try Compute(threadCount: threads, instructionSet: .best)
            let expected = compute.read(buffer)
            #expect(expected == UInt64(1 << 13) &* 0x0101_0101_0101_0101)
            for _ in 0..<500 { #expect(compute.read(buffer) == expected) }
        }
    }

    @Test func `an instruction set that is none, or that the processor lacks, is refused`() throws {
        #expect(throws: KernelError.self) { try InstructionSet.selected(forcing: "mmx") }
        #expect(try InstructionSet.selected(forcing: "portable") == .portable)
        #expect(try InstructionSet.selected(forcing: nil) == .best)
        for lacking in InstructionSet.allCases where lacking > .best {
            #expect(throws: KernelError.self) { try InstructionSet.selected(forcing: lacking.rawValue) }
        }
    }
}

import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing

@testable import Inference

@Suite struct `Measured rates that are kept` {
    private let folder: TemporaryFolder
    private let cache: TuningCache
    private let key = TuningCache.Key(
        cpu: "AMD \"Ryzen\" 9", instructionSet: .avx2, threadCount: 4,
        candidates: [
            KernelCandidate(layout: .l3, columns: 320, kernel: .multiplyAdd, prefetch: .far),
            KernelCandidate(layout: .b2, columns: 320, groupColumns: 64, kernel: .lookUp, prefetch: .hardware),
        ])

    init() throws {
        folder = try TemporaryFolder()
        cache = TuningCache(folder: folder.path + "/home/tuning")
    }

    private var rates: [KernelRate] {
        zip(key.candidates, [1.5e11, 123_456_789.25]).map { KernelRate(candidate: $0, weightsPerSecond: $1) }
    }

    @Test func `are found again, also when they are kept anew`() throws {
        #expect(cache.rates(key) == nil)
        try cache.keep(rates, key)
        #expect(cache.rates(key) == rates)
        let other = rates.map { KernelRate(candidate: $0.candidate, weightsPerSecond: 2 * $0.weightsPerSecond) }
        try cache.keep(other, key)
        #expect(cache.rates(key) == other)
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder).count == 1)
    }

    @Test func `are not those of another machine, thread count, instruction set, shape or prefetch`() throws {
        try cache.keep(rates, key)
        var others = [TuningCache.Key](repeating: key, count: 7)
        others[0].cpu = "AMD Ryzen 9"
        others[1].instructionSet = .avx512
        others[2].threadCount = 5
        others[3].candidates[0].columns = 352
        others[4].candidates[1].groupColumns = 32
        others[5].candidates.swapAt(0, 1)
        others[6].candidates[0].prefetch = .near
        for other in others {
            #expect(cache.rates(other) == nil)
            // Not even where its file is in the place of the other's.
            try FileManager.default.copyItem(atPath: cache.path(key), toPath: cache.path(other))
            #expect(cache.rates(other) == nil)
        }
        #expect(Set((others + [key]).map(cache.path)).count == 8)
    }

    @Test func `count as none where their file is damaged, and are then replaced`() throws {
        try cache.keep(rates, key)
        let path = cache.path(key)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let text = String(decoding: whole, as: UTF8.self)
        var damaged = (0..<whole.count - 1).map { whole.prefix($0) }
        for (old, new) in [
            ("150000000000.0", "-1"), ("150000000000.0", "0"), ("150000000000.0", "1e999"), ("150000000000.0", "null"),
            ("150000000000.0", "\"1\""), ("150000000000.0", "1,1"), (",123456789.25", ""), ("l3", "l4"),
            ("\(TuningCache.version);", "\(TuningCache.version + 1);"),
        ] {
            #expect(text.contains(old))
            damaged.append(Data(text.replacing(old, with: new).utf8))
        }
        damaged.append(Data(repeating: UInt8(ascii: "["), count: 1 << 15))
        damaged.append(whole + Data(repeating: UInt8(ascii: " "), count: 1 << 16))
        for bytes in damaged {
            try bytes.write(to: URL(fileURLWithPath: path))
            #expect(cache.rates(key) == nil, "\(String(decoding: bytes.prefix(200), as: UTF8.self))")
        }
        try cache.keep(rates, key)
        #expect(cache.rates(key) == rates)
    }

    @Test func `cannot be kept where no folder can be`() throws {
        try folder.write("", "home")
        #expect(throws: OutputFileError.self) { try cache.keep(rates, key) }
        #expect(cache.rates(key) == nil)
        #expect(try folder.text("home") == "")
    }
}

@Suite struct `A stage that is free to choose` {
    private let folder: TemporaryFolder
    private let model: ModelFile

    init() throws {
        folder = try TemporaryFolder()
        model = try ModelFile(path: Fixtures.ryzTinyPath)
    }

    private func stage(_ change: (inout StageOptions) -> Void = { _ in }) throws -> Stage {
        var options = StageOptions(
            threadCount: 1, instructionSet: .best, contextLength: 64, keyValueTokenCapacity: 256,
            tuningFolder: folder.path + "/tuning")
        options.leastMeasuredByteCount = 0
        change(&options)
        return try Stage(model: model, layers: 0..<6, options: options)
    }

    @Test func `measures every layout, kernel and prefetch for every width, and then takes what was kept`() throws {
        let first = try stage().choice
        #expect(first.origin == .measured && first.cacheProblem == nil)
        // Two bits, five to a byte, there in two ways with AVX-512, and three to an index by either kernel; 320 columns and
        // 640; and the head.
        #expect(first.rates.count == ((InstructionSet.best == .avx512 ? 10 : 8) + 1) * 3)
        #expect(Set(first.rates.map(\.candidate.columns)) == [320, 640])
        let chosen = first.rates.map(\.candidate).filter(first.isChosen)
        #expect(chosen.count == 3)
        #expect(chosen.count { $0.layout == TileLayout(first.ternaryLayout) } == 2)
        let second = try stage().choice
        #expect(second.rates == first.rates)
        #expect(second.rates.map(\.candidate).filter(second.isChosen) == chosen)
        guard case .cached(let path) = second.origin else {
            Issue.record("\(second.origin)")
            return
        }
        #expect(FileManager.default.fileExists(atPath: path))
        #expect(try stage { $0.measuresAgain = true }.choice.origin == .measured)
        try Data("{".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try stage().choice.origin == .measured)
        guard case .cached = try stage().choice.origin else {
            Issue.record("what was measured was not kept")
            return
        }
    }

    @Test func `takes the fastest of what was kept`() throws {
        let rates = try stage().choice.rates
        let cache = TuningCache(folder: folder.path + "/tuning")
        let key = TuningCache.Key(
            cpu: Processor.modelName, instructionSet: .best, threadCount: 1, candidates: rates.map(\.candidate))
        for layout in TernaryLayout.candidates(on: .best) {
            for kernel in TileLayout(layout).kernels {
                // The wider shape has the other kernel, but it decides for no other layout.
                try cache.keep(
                    rates.map {
                        let isFast =
                            $0.candidate.layout == TileLayout(layout)
                            && ($0.candidate.kernel == kernel || $0.candidate.columns == 640)
                        return KernelRate(candidate: $0.candidate, weightsPerSecond: isFast ? 2e9 : 1e9)
                    }, key)
                let choice = try stage().choice
                #expect(choice.ternaryLayout == layout)
                if layout == .threeToAnIndex {
                    #expect(choice.kernel(.l3, columns: 320, groupColumns: nil) == kernel)
                }
            }
        }
    }

    @Test(arguments: [(1.03, false), (1.1, true)])
    func `takes more memory only for a gain that it is worth`(gain: Double, isWorthIt: Bool) throws {
        let rates = try stage().choice.rates
        let cache = TuningCache(folder: folder.path + "/tuning")
        let key = TuningCache.Key(
            cpu: Processor.modelName, instructionSet: .best, threadCount: 1, candidates: rates.map(\.candidate))
        try cache.keep(
            rates.map {
                KernelRate(candidate: $0.candidate, weightsPerSecond: $0.candidate.layout == .t2 ? gain * 1e9 : 1e9)
            }, key)
        #expect((try stage().choice.ternaryLayout == .twoBits) == isWorthIt)
    }

    @Test(arguments: [(1.03, false), (1.1, true)])
    func `departs from the usual prefetch only for a gain that it is worth`(gain: Double, isWorthIt: Bool) throws {
        let rates = try stage { $0.ternaryLayout = .twoBits }.choice.rates
        let cache = TuningCache(folder: folder.path + "/tuning")
        let key = TuningCache.Key(
            cpu: Processor.modelName, instructionSet: .best, threadCount: 1, candidates: rates.map(\.candidate))
        let usual = Prefetch.usual(for: .t2)
        let other: Prefetch = usual == .near ? .far : .near
        try cache.keep(
            rates.map {
                KernelRate(candidate: $0.candidate, weightsPerSecond: $0.candidate.prefetch == other ? gain * 1e9 : 1e9)
            }, key)
        let choice = try stage { $0.ternaryLayout = .twoBits }.choice
        #expect(choice.prefetch(.t2, columns: 320, groupColumns: nil) == (isWorthIt ? other : usual))
    }

    @Test func `asks for weights as was fastest for their layout and width, or for their layout`() throws {
        let rates = try stage { $0.ternaryLayout = .twoBits }.choice.rates
        let cache = TuningCache(folder: folder.path + "/tuning")
        let key = TuningCache.Key(
            cpu: Processor.modelName, instructionSet: .best, threadCount: 1, candidates: rates.map(\.candidate))
        try cache.keep(
            rates.map {
                let fastest: Prefetch =
                    $0.candidate.layout != .t2 ? .hardware : $0.candidate.columns == 320 ? .near : .far
                return KernelRate(
                    candidate: $0.candidate, weightsPerSecond: $0.candidate.prefetch == fastest ? 2e9 : 1e9)
            }, key)
        let choice = try stage { $0.ternaryLayout = .twoBits }.choice
        #expect(choice.prefetch(.t2, columns: 320, groupColumns: nil) == .near)
        #expect(choice.prefetch(.t2, columns: 640, groupColumns: nil) == .far)
        #expect(choice.prefetch(.t2, columns: 160, groupColumns: nil) == .near)
        #expect(
            rates.map(\.candidate).filter { $0.layout != .t2 && choice.isChosen($0) }.map(\.prefetch) == [.hardware])
        #expect(choice.prefetch(.q4_0, columns: 320, groupColumns: nil) == .usual(for: .q4_0))
        // And so it comes to a stage's matrices, its head, and what a rank has of them.
        let weights = WeightPreparation(model: model, choice: choice, headPrecision: .automatic)
        let layer = model.layers[0]
        let parts = [
            (MatrixPart(layer.query), Prefetch.near), (MatrixPart(layer.down), .far),
            (MatrixPart(layer.down, columns: 0..<160), .near),
        ]
        for (part, expected) in parts {
            let matrix = try weights.packed(part)
            let prefetch = matrix.prefetch
            #expect(prefetch == expected, "\(part.tensor.name), columns \(part.columns)")
        }
        let head = try weights.packedHead(rows: 0..<16)
        let prefetch = head.prefetch
        #expect(prefetch == .hardware)
    }

    @Test func `measures nothing where nothing is left to choose, or little depends on it`() throws {
        let forced = try stage { ($0.ternaryLayout, $0.prefetch) = (.twoBits, .far) }.choice
        #expect(forced.origin == .nothingMeasured && forced.ternaryLayout == .twoBits)
        let kernel = try stage {
            ($0.ternaryLayout, $0.kernel, $0.prefetch) = (.threeToAnIndex, .multiplyAdd, .near)
        }.choice
        #expect(kernel.origin == .nothingMeasured)
        #expect(kernel.kernel(.l3, columns: 320, groupColumns: nil) == .multiplyAdd)
        #expect(kernel.prefetch(.l3, columns: 320, groupColumns: nil) == .near)
        #expect(try stage { $0.leastMeasuredByteCount = 32 << 20 }.choice.origin == .nothingMeasured)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/tuning"))
        // A layout may be given and its kernel be left open, or only how weights are asked for.
        let open = try stage { ($0.ternaryLayout, $0.prefetch) = (.threeToAnIndex, .far) }.choice
        #expect(open.rates.count == 4 && open.ternaryLayout == .threeToAnIndex)
        #expect(try stage { $0.ternaryLayout = .twoBits }.choice.rates.count == 9)
    }

    @Test func `goes on where nothing can be kept`() throws {
        try folder.write("", "tuning")
        let choice = try stage().choice
        #expect(choice.origin == .measured)
        #expect(choice.cacheProblem?.contains("Not a directory") == true)
    }

    @Test func `recodes tiles to what is faster, and those that its processor has no kernel for`() {
        let avx2 = KernelChoice(ternaryLayout: .twoBits, candidates: TernaryLayout.candidates(on: .avx2))
        #expect(avx2.layout(of: .i5) == .t2 && avx2.layout(of: .t5) == .t2 && avx2.layout(of: .l3) == .l3)
        #expect(avx2.layout(of: nil) == .t2 && avx2.layout(of: .q8_0) == .q8_0)
        let avx512 = KernelChoice(ternaryLayout: .fiveToAnIndex, candidates: TernaryLayout.candidates(on: .avx512))
        #expect(avx512.layout(of: .t5) == .i5 && avx512.layout(of: .t2) == .i5)
        let triples = KernelChoice(ternaryLayout: .threeToAnIndex, candidates: TernaryLayout.candidates(on: .avx2))
        #expect(triples.layout(of: .i5) == .t2 && triples.layout(of: .t5) == .t5)
    }
}

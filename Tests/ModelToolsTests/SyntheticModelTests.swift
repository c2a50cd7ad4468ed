import Checkpoints
import Foundation
import Inference
import Kernels
import ModelTools
import Synchronization
import TestSupport
import Testing
import Tokenization
import Transport

/// Shapes small enough for tests, one of each family.
enum SmallShape {
    static let bitNet = ModelShape(
        name: "small", family: .bitNet, hiddenSize: 128, layerCount: 3, headCount: 4, keyValueHeadCount: 2,
        headDimension: 32, feedForwardSize: 320, vocabularySize: 1024, contextLength: 128, ropeBase: 10_000,
        normEpsilon: 1e-5, tiesHead: true)

    static let llama: ModelShape = {
        var shape = bitNet
        shape.family = .llama
        shape.tiesHead = false
        return shape
    }()
}

/// A path within a temporary folder.
struct Destination {
    let folder: TemporaryFolder
    var path: String { folder.path + "/model" }

    init() throws { folder = try TemporaryFolder() }

    /// Everything in the folder around the path.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] }
}

/// The logits of a text as one digest.
func logits(of model: ModelFile, _ tokens: [Int32], head: HeadPrecision = .automatic) throws -> SliceScore {
    let options = try StageOptions(
        threadCount: 2, instructionSet: .selected(), contextLength: min(128, model.configuration.contextLength),
        keyValueTokenCapacity: 128, headPrecision: head)
    let stage = try Stage(model: model, layers: 0..<model.configuration.layerCount, options: options)
    var pipeline = try Pipeline([stage])
    return try pipeline.score(tokens, chunk: 64, topCount: 1)
}

/// A task that its own work can cancel.
final class TaskHolder: Sendable {
    private let task = Mutex<Task<Void, any Error>?>(nil)

    var isSet: Bool { task.withLock { $0 != nil } }
    func set(_ value: Task<Void, any Error>) { task.withLock { $0 = value } }
    func cancel() { task.withLock { $0?.cancel() } }
}

@Suite struct `A synthetic model` {
    @Test(arguments: [SmallShape.bitNet, SmallShape.llama])
    func `has the shape asked for, and runs`(shape: ModelShape) async throws {
        let destination = try Destination()
        try await SyntheticModel(shape: shape, seed: 7).write(to: destination.path)
        let model = try ModelFile(path: destination.path)
        #expect(model.configuration.layerCount == 3)
        #expect(model.configuration.hasSubNorms == (shape.family == .bitNet))
        #expect(model.hasTiedHead == shape.tiesHead)
        let tokenizer = try Tokenizer(model: model)
        #expect(tokenizer.vocabularySize == 1024)
        let text = "Grüße, world! 123"
        let tokens = tokenizer.encode(text)
        #expect(tokens.map(Int.init) == text.utf8.map(Int.init))
        let score = try logits(of: model, tokens)
        // The logarithm of 1,024 is 6.9, and logits have no great spread.
        let mean = score.targetLogProbabilities.reduce(0, +) / Float(score.targetLogProbabilities.count)
        #expect(mean < -5 && mean > -9)
    }

    @Test func `has a chat template`() async throws {
        let destination = try Destination()
        try await SyntheticModel(shape: SmallShape.bitNet, seed: 7).write(to: destination.path)
        let model = try ModelFile(path: destination.path)
        let tokenizer = try Tokenizer(model: model)
        let format = try #require(try ConversationFormat(model: model, tokenizer: tokenizer))
        let prompt = try format.render(
            messages: #"[{"role": "user", "content": " Hello "}]"#, secondsSince1970: 0)
        #expect(prompt == "<|begin_of_text|>User: Hello<|eot_id|>\nAssistant: ")
        let ids = tokenizer.encode(prompt, parsesSpecialTokens: true)
        #expect(ids.first == 1021 && ids.contains(1023))
        #expect(tokenizer.endOfGenerationTokens == [1022, 1023])
    }

    @Test func `is the same for the same seed, and another for another`() async throws {
        var weights: [[UInt8]] = []
        for seed: UInt64 in [1, 1, 2] {
            let destination = try Destination()
            try await SyntheticModel(shape: SmallShape.llama, seed: seed).write(to: destination.path)
            let data = try Data(contentsOf: URL(fileURLWithPath: destination.path + "/model.safetensors"))
            weights.append(Array(data.suffix(100_000)))
        }
        #expect(weights[0] == weights[1])
        #expect(weights[0] != weights[2])
    }

    @Test func `has weights of which half are zero, and as many of either sign`() async throws {
        let destination = try Destination()
        try await SyntheticModel(shape: SmallShape.bitNet, seed: 3).write(to: destination.path)
        let matrix = try TernaryMatrix(ModelFile(path: destination.path).layers[1].down)
        var counts: [Int8: Int] = [:]
        var row = [Int8](repeating: 0, count: matrix.columns)
        for index in 0..<matrix.rows {
            matrix.decode(row: index, into: &row)
            for value in row { counts[value, default: 0] += 1 }
        }
        let total = Double(matrix.rows * matrix.columns)
        #expect(abs(Double(counts[0] ?? 0) / total - 0.5) < 0.02)
        #expect(abs(Double(counts[1] ?? 0) / total - 0.25) < 0.02)
        #expect(abs(Double(counts[-1] ?? 0) / total - 0.25) < 0.02)
    }

    @Test func `leaves nothing behind when it is cancelled`() async throws {
        let destination = try Destination()
        let path = destination.path
        let running = TaskHolder()
        let task = Task {
            while !running.isSet { await Task.yield() }
            try await SyntheticModel(shape: SmallShape.bitNet, seed: 1).write(to: path) { _ in running.cancel() }
        }
        running.set(task)
        let result = await task.result
        #expect(throws: ModelToolError.interrupted) { try result.get() }
        #expect(destination.names == [])
    }

    @Test func `does not touch what is there already, and says why it cannot write`() async throws {
        let destination = try Destination()
        try destination.folder.write("kept", "model")
        let model = try SyntheticModel(shape: SmallShape.bitNet, seed: 1)
        await #expect(
            throws: ModelToolError.output(
                "\(destination.path): it exists already; give another path, or remove it first")
        ) {
            try await model.write(to: destination.path)
        }
        #expect(try destination.folder.text("model") == "kept")
        let error = await #expect(throws: ModelToolError.self) {
            try await model.write(to: destination.folder.path + "/missing/model")
        }
        #expect(error?.description.contains("the folder cannot be made") == true)
        #expect(destination.names == ["model"])
    }

    @Test func `refuses a vocabulary too small for bytes and special tokens`() {
        var shape = SmallShape.bitNet
        shape.vocabularySize = 511
        #expect(throws: ModelToolError.self) { try SyntheticModel(shape: shape, seed: 1) }
    }
}

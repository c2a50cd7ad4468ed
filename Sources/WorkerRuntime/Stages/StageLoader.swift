import Checkpoints
import Foundation
import Inference
import Kernels
import Transport

/// Loads the part of a model that an assignment describes.
public struct StageLoader: Sendable {
    /// Threads to compute with.
    public var threadCount: Int
    /// Processors to pin them to; empty pins none.
    public var cpus: [Int32]
    public var instructionSet: InstructionSet
    /// Where a model file is looked for by its name if it isn't where the coordinator has it.
    public var modelsFolder: String

    public init(threadCount: Int, cpus: [Int32], instructionSet: InstructionSet, modelsFolder: String) {
        self.threadCount = threadCount
        self.cpus = cpus
        self.instructionSet = instructionSet
        self.modelsFolder = modelsFolder
    }

    /// Opens the model, checks that it is the one the coordinator means, and loads the assigned layers.
    public func load(_ assignment: StageAssignment) throws(StageError) -> any StageComputing {
        let model = try open(assignment.modelFile)
        let options = StageOptions(
            threadCount: threadCount, cpus: cpus, instructionSet: instructionSet,
            contextLength: assignment.contextLength, keyValueTokenCapacity: assignment.keyValueTokenCapacity,
            maximumStepRowCount: assignment.maximumStepRowCount)
        do throws(InferenceError) {
            return LoadedStage(try Stage(model: model, layers: assignment.layers, options: options))
        } catch {
            throw StageError(error)
        }
    }

    private func open(_ reference: ModelFileReference) throws(StageError) -> ModelFile {
        let name = reference.path.split(separator: "/").last.map(String.init) ?? reference.path
        let candidates = [reference.path, modelsFolder + "/" + name]
        guard let path = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw StageError(
                "no model file at \(candidates.joined(separator: " or ")); copy \(name) there", isRetryable: true)
        }
        let model: ModelFile
        do throws(CheckpointError) { model = try ModelFile(path: path) } catch {
            throw StageError(error.description, isRetryable: false)
        }
        guard model.byteCount == Int(clamping: reference.byteCount), model.headerDigest == reference.headerDigest
        else {
            throw StageError("\(path) is not the coordinator's model of that name; copy it anew", isRetryable: true)
        }
        return model
    }
}

extension StageError {
    init(_ error: InferenceError) { self.init(error.description, isRetryable: error.isRetryable) }
}

/// A stage of a real model as the compute thread drives it.
private final class LoadedStage: StageComputing {
    private let stage: Stage

    init(_ stage: Stage) { self.stage = stage }

    var hiddenSize: Int { stage.hiddenSize }
    var weightsByteCount: Int { stage.weightsByteCount }
    var keyValueTokenCount: Int { stage.keyValueTokenCount }
    var keyValueTokenCapacity: Int { stage.keyValueTokenCapacity }

    func run(_ step: Step) throws(StageError) -> StageOutput {
        do throws(InferenceError) { return StageOutput(try stage.run(step)) } catch { throw StageError(error) }
    }

    func run(_ step: Step, hiddenStates: RawSpan) throws(StageError) -> StageOutput {
        do throws(InferenceError) {
            return StageOutput(try stage.run(step, hiddenStates: hiddenStates))
        } catch {
            throw StageError(error)
        }
    }

    func withHiddenStates<Result>(_ body: (RawSpan) throws(LinkError) -> Result) throws(LinkError) -> Result {
        try stage.withHiddenStates(body)
    }
}

extension StageOutput {
    fileprivate init(_ output: Stage.Output) {
        switch output {
        case .hiddenStates: self = .hiddenStates
        case .result(let result): self = .result(result)
        }
    }
}

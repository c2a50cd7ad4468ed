import Checkpoints
import Foundation
import Inference
import Transport
import WeightTransfer

extension StageLoader {
    /// The model with the weights of the assignment, and what keeps it in the shard cache if it is from there.
    func open(
        _ assignment: StageAssignment, _ supply: WeightsSupply?
    ) throws(StageError) -> (ModelFile, ShardEntry?) {
        var problem: StageError?
        if weightsOrigin != .fetched {
            do throws(StageError) {
                let model = try openLocally(assignment.modelFile)
                supply?.shelf?.put(model)
                return (model, nil)
            } catch {
                problem = error
            }
        }
        guard weightsOrigin != .local, let shardCache, let supply else {
            throw problem
                ?? StageError("nobody serves weights, and --weights fetched takes no others", isRetryable: true)
        }
        logger?.info(
            "what is needed of the model is got together from the shard cache, other workers and the coordinator",
            metadata: ["because": "\(problem?.message ?? "--weights fetched")"])
        return try fetch(assignment, supply, shardCache)
    }

    private func fetch(
        _ assignment: StageAssignment, _ supply: WeightsSupply, _ cache: ShardCache
    ) throws(StageError) -> (ModelFile, ShardEntry?) {
        var supply = supply
        let (report, onProgress, start) = (supply.report, onProgress, ContinuousClock.now)
        supply.report = { progress in
            report(progress)
            onProgress(progress)
        }
        supply.noteDropped = { [logger] peer, problem in
            logger?.warning(
                "a worker is asked for no more weights of this part",
                metadata: ["node": "\(peer.node)", "endpoint": "\(peer.dataEndpoint)", "because": "\(problem)"])
        }
        defer { onProgress(nil) }
        do throws(WeightsError) {
            let share = assignment.ranks[assignment.rank].share
            let fetched = try WeightsFetch(supply, cache: cache).model(assignment.modelFile) {
                model throws(WeightsError) in
                do throws(StageError) { try checkMemory(for: assignment, of: model) } catch {
                    throw .unfit(problem: error.message, isRetryable: error.isRetryable)
                }
                return model.byteRanges(layers: assignment.layers, share: share)
            }
            logger?.info(
                "weights are there",
                metadata: [
                    "neededByteCount": "\(fetched.neededByteCount)", "fetchedByteCount": "\(fetched.fetchedByteCount)",
                    "from": "\(Self.sources(fetched))",
                    "milliseconds": "\(Int((ContinuousClock.now - start) / .milliseconds(1)))",
                    "path": "\(fetched.entry.modelPath)",
                ])
            return (fetched.model, fetched.entry)
        } catch {
            throw StageError(error.description, isRetryable: error.isRetryable)
        }
    }

    /// Such as `coordinator 1048576, worker-1 8388608`.
    private static func sources(_ fetched: FetchedModel) -> String {
        fetched.fetchedByteCounts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    private func openLocally(_ reference: ModelFileReference) throws(StageError) -> ModelFile {
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

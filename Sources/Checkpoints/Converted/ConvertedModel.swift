import JSON
import Kernels

/// A folder that `ryz model convert` made: matrices in the tiles that kernels read, and beside them what the original
/// says of configuration, vocabulary and chat template.
///
/// - `tiles.safetensors`: every tensor as bytes (U8), each beginning at a multiple of `alignment` and padded to one, so
///   that a range of the file is all that a layer needs. The header's metadata says what each is: see `TensorRecord`.
/// - `header.gguf`, if the original was a GGUF file: its keys and values, and the frequency factors if it has them.
/// - Otherwise copies of the original folder's JSON files and chat template.
public struct ConvertedModel: Sendable {
    /// The folder's path, without a slash at its end.
    public let path: String
    /// The copies of what the original had beside its weights.
    public let origin: ModelSource
    /// The tensors.
    public let tiles: SafeTensorsFile

    public static let tilesName = "tiles.safetensors"
    public static let headerName = "header.gguf"
    /// Bytes; a page, so that ranges can be mapped and dropped on their own.
    public static let alignment = 4096
    /// Keys of the metadata. Every further key is the name of a tensor.
    public static let versionKey = "ryz_tiles"
    public static let tiedHeadKey = "ryz_tied_head"
    /// SHA-256 that identified the original, for people to compare.
    public static let originalDigestKey = "ryz_original_digest"
    /// What `versionKey` says: changes when layouts do.
    public static let version = "1"

    /// Nil if the folder is not one that was converted.
    init?(_ folder: CheckpointFolder) throws(CheckpointError) {
        guard let file = try CheckpointFolder.map(folder.path + "/" + Self.tilesName) else { return nil }
        path = folder.path
        tiles = try SafeTensorsFile(file: file)
        let version = tiles.metadata[Self.versionKey]
        guard version == Self.version else {
            throw .unsupported(
                path: file.path,
                CheckpointProblem(
                    place: Self.versionKey,
                    problem:
                        "its tiles are of version \(version.map { String($0.prefix(20)) } ?? "none"), not \(Self.version)",
                    remedy: "convert the model again with this release"))
        }
        if let header = try CheckpointFolder.map(folder.path + "/" + Self.headerName) {
            origin = .gguf(try GGUFFile(file: header))
        } else {
            origin = .folder(folder)
        }
    }

    var hasTiedHead: Bool { tiles.metadata[Self.tiedHeadKey] == "true" }

    var naming: TensorNaming {
        if case .gguf = origin { .gguf } else { .huggingFace }
    }

    /// What lies beside the tiles.
    var companionParts: [ModelPart] {
        switch origin {
        case .gguf(let header): [ModelPart(header.file)]
        case .folder(let folder): folder.companionParts
        case .converted(let model): model.companionParts
        }
    }

    func configuration() throws(CheckpointError) -> ModelConfiguration {
        switch origin {
        case .gguf(let gguf): try LlamaMetadata.configuration(of: gguf)
        case .folder(let folder): try HuggingFaceConfiguration(folder).model
        case .converted(let model): try model.configuration()
        }
    }

    /// All tensors. What is wrong with one is appended to `problems`.
    func entries(problems: inout [CheckpointProblem]) -> [TensorEntry] {
        var entries: [TensorEntry] = []
        for tensor in tiles.tensors {
            do throws(RecordError) {
                let record = try TensorRecord(tiles.metadata[tensor.name])
                try record.check(tensor)
                let isNorm = record.tiles == nil && record.rows == 1
                entries.append(
                    TensorEntry(
                        tensor: TensorDescription(
                            name: tensor.name, type: record.type, rows: record.rows, columns: record.columns,
                            file: tiles.file,
                            byteRange: tensor.byteRange.lowerBound..<tensor.byteRange.lowerBound + record.byteCount,
                            scale: record.scale, tiles: record.tiles),
                        dimensions: naming.dimensions(
                            rows: record.rows, columns: record.columns, isNorm: isNorm, type: record.type)))
            } catch {
                problems.append(
                    CheckpointProblem(
                        place: tensor.name, byteOffset: tensor.byteRange.lowerBound, problem: error.problem,
                        remedy: "convert the model again"))
            }
        }
        return entries
    }
}

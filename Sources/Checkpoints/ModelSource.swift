import Kernels

/// Where a model, or a vocabulary alone, comes from: a GGUF file, a folder as Hugging Face publishes it, or one that
/// was converted from either.
public enum ModelSource: Sendable {
    case gguf(GGUFFile)
    case folder(CheckpointFolder)
    indirect case converted(ConvertedModel)

    /// Opens the GGUF file at `path`; or the folder there, which may also be given by its `config.json` or weights.
    public init(path: String) throws(CheckpointError) {
        if let folder = CheckpointFolder.path(meantBy: path) {
            self = try Self.folder(at: folder)
            return
        }
        let file: MappedFile
        do throws(MappedFileError) { file = try MappedFile(path: path) } catch {
            guard case .notRegular = error, (try? CheckpointFolder(path: path)) != nil else {
                throw .unreadable(error)
            }
            self = try Self.folder(at: path)
            return
        }
        self = .gguf(try GGUFFile(file: file))
    }

    private static func folder(at path: String) throws(CheckpointError) -> ModelSource {
        let folder = try CheckpointFolder(path: path)
        if let converted = try ConvertedModel(folder) { return .converted(converted) }
        return .folder(folder)
    }

    /// What has the vocabulary, the chat template and the configuration: never a converted model itself.
    public var origin: ModelSource {
        if case .converted(let model) = self { model.origin } else { self }
    }

    /// The path of the file or folder.
    public var path: String {
        switch self {
        case .gguf(let gguf): gguf.file.path
        case .folder(let folder): folder.path
        case .converted(let model): model.path
        }
    }
}

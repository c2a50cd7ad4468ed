import Kernels

/// Where a model, or a vocabulary alone, comes from: a GGUF file or a folder as Hugging Face publishes it.
public enum ModelSource: Sendable {
    case gguf(GGUFFile)
    case folder(CheckpointFolder)

    /// Opens the GGUF file at `path`; or the folder there, which may also be given by its `config.json` or weights.
    public init(path: String) throws(CheckpointError) {
        if let folder = CheckpointFolder.path(meantBy: path) {
            self = .folder(try CheckpointFolder(path: folder))
            return
        }
        let file: MappedFile
        do throws(MappedFileError) { file = try MappedFile(path: path) } catch {
            guard case .notRegular = error, let folder = try? CheckpointFolder(path: path) else {
                throw .unreadable(error)
            }
            self = .folder(folder)
            return
        }
        self = .gguf(try GGUFFile(file: file))
    }

    /// The path of the file or folder.
    public var path: String {
        switch self {
        case .gguf(let gguf): gguf.file.path
        case .folder(let folder): folder.path
        }
    }
}

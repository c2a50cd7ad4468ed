public import JSON
public import Kernels

/// A folder as Hugging Face publishes models: `config.json`, SafeTensors files, and what belongs to the tokeniser.
public struct CheckpointFolder: Sendable {
    /// The folder's path, without a slash at its end.
    public let path: String
    private let files: [String: MappedFile]

    static let configuration = "config.json"
    public static let index = "model.safetensors.index.json"
    static let weights = "model.safetensors"
    /// What may be there beside configuration and weights, with the most bytes that are read of it.
    private static let companions: [(name: String, maximumByteCount: Int)] = [
        (configuration, 1 << 22), ("generation_config.json", 1 << 22), ("tokenizer.json", 1 << 28),
        ("tokenizer_config.json", 1 << 25), ("chat_template.jinja", 1 << 20), (index, 1 << 26),
    ]

    /// Maps what is in the folder at `path`. Throws `.unreadable` for a file that cannot be read, `.malformed` for one
    /// that is too long to be what its name says.
    init(path: String) throws(CheckpointError) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
        var files: [String: MappedFile] = [:]
        for (name, limit) in Self.companions {
            guard let file = try Self.map(path + "/" + name) else { continue }
            guard file.byteCount <= limit else {
                throw .malformed(
                    path: file.path,
                    CheckpointProblem(
                        place: "file",
                        problem: "\(file.byteCount) bytes are more than the \(limit) that this program "
                            + "reads", remedy: "fetch it again"))
            }
            files[name] = file
        }
        self.files = files
    }

    /// The folder that a path of a folder, of its `config.json` or of its weights means; nil for any other file's.
    static func path(meantBy path: String) -> String? {
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? path
        guard name == configuration || name == index || name.hasSuffix(".safetensors") else { return nil }
        let folder = path.dropLast(name.count)
        return folder.isEmpty ? "." : String(folder)
    }

    /// The file `name` of those that may be beside configuration and weights; nil if it is not there.
    public func file(_ name: String) -> MappedFile? { files[name] }

    /// The JSON in file `name`; nil if it is not there. Throws `.malformed`.
    public func json(_ name: String, limits: JSONLimits = JSONLimits()) throws(CheckpointError) -> JSONDocument? {
        guard let file = files[name] else { return nil }
        do throws(JSONSyntaxError) {
            return try JSONDocument(parsing: file.bytes(in: 0..<file.byteCount) ?? [], limits: limits)
        } catch {
            throw .malformed(
                path: file.path,
                CheckpointProblem(
                    place: "line \(error.line)", byteOffset: error.byteOffset,
                    problem: "not valid JSON: \(error.problem)", remedy: "fetch the file again"))
        }
    }

    /// The names of the companions that are there, in a fixed order.
    public var companionNames: [String] { Self.companions.map(\.name).filter { files[$0] != nil } }

    /// The file at `path`; nil if there is none.
    static func map(_ path: String) throws(CheckpointError) -> MappedFile? {
        do throws(MappedFileError) {
            return try MappedFile(path: path)
        } catch {
            if case .system("open", _, "No such file or directory") = error { return nil }
            throw .unreadable(error)
        }
    }
}

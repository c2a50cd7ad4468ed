import Foundation

/// Where tests find what is not part of the project. Each path may lead nowhere: tests that need it are then skipped.
public enum Fixtures {
    /// The reference models and outputs that lie beside the project.
    public static let folder: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared/fixtures")

    /// The path of a fixture, such as `tokenizers/gpt-2.gguf`.
    public static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Whether a fixture is there.
    public static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// The bytes of a fixture.
    public static func data(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }

    /// A small trained ternary model, which is part of the project.
    public static let ryzTinyPath: String = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/ryz-tiny").path

    /// Where `scripts/fetch-model smollm2` puts the model.
    public static let smolLM2Path: String = {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["RYZ_HOME"] ?? NSHomeDirectory() + "/.ryz"
        return home + "/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    }()

    /// Whether it has been fetched.
    public static let hasSmolLM2 = FileManager.default.fileExists(atPath: smolLM2Path)
}

import ArgumentParser
import CommandSupport
import Transport

/// `--keys`, for commands that make keys and take them back.
struct KeyFolderOption: ParsableArguments {
    @Option(help: "The folder of the keys. By default ${RYZ_HOME:-~/.ryz}/keys.")
    var keys: String?

    var folder: KeyFolder { KeyFolder(path: keys ?? RyzHome.keysFolder) }

    /// Whether these can be the names of workers and clients.
    static func check(_ names: [String]) throws {
        for name in names where NodeID(name) == nil || NodeID(name) == .coordinator {
            throw ValidationError(
                "\(name): a name has 1 to 64 letters, digits, dots, dashes and underscores, and is not that of the "
                    + "coordinator")
        }
    }
}

import Foundation

/// Where the programs of the cluster are.
public enum Programs {
    /// The folder of the running program: all programs of the package are built and installed beside each other.
    public static var ownFolder: String {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own ?? CommandLine.arguments[0]).deletingLastPathComponent().path
    }

    static func path(_ name: String, in folder: String) throws(LocalClusterError) -> String {
        let path = folder + "/" + name
        guard FileManager.default.isExecutableFile(atPath: path) else { throw .missingProgram(path: path) }
        return path
    }
}

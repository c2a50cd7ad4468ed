import Foundation

/// The folder of everything that the programs keep: `${RYZ_HOME:-~/.ryz}`.
public enum RyzHome {
    public static var path: String {
        let environment = ProcessInfo.processInfo.environment
        if let home = environment["RYZ_HOME"], !home.isEmpty { return home }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.ryz"
    }

    /// Where measured speeds of kernels are kept.
    public static var tuningFolder: String { path + "/tuning" }

    /// Where the keys of a cluster lie.
    public static var keysFolder: String { path + "/keys" }

    /// Where a coordinator keeps what outlives it.
    public static func stateFolder(cluster: String) -> String { path + "/state/" + cluster }

    /// Where weights are kept that came from other nodes.
    public static var shardsFolder: String { path + "/shards" }

    /// Where it is kept what models' files hold, for workers that fetch from here.
    public static var manifestsFolder: String { path + "/manifests" }

    /// Where models lie.
    public static var modelsFolder: String { path + "/models" }
}

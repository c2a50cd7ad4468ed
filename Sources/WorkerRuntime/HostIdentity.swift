import Foundation

/// Which machine this process runs on, and in which network namespace there: who has the same is reached over loopback
/// and can share memory.
enum HostIdentity {
    /// Such as `0ab1…-…/4026531840`: the number of the machine's boot and that of the namespace. Empty if the kernel
    /// does not tell.
    static var current: String {
        let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        let namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
        return text(bootID: boot ?? "", namespace: namespace ?? "")
    }

    /// - Parameters:
    ///   - bootID: a UUID and the end of a line.
    ///   - namespace: such as `net:[4026531840]`.
    static func text(bootID: String, namespace: String) -> String {
        let boot = bootID.prefix { $0.isHexDigit || $0 == "-" }
        let inode = namespace.drop { $0 != "[" }.dropFirst().prefix { ("0"..."9").contains($0) }
        guard (1...64).contains(boot.utf8.count), (1...20).contains(inode.utf8.count) else { return "" }
        return "\(boot)/\(inode)"
    }
}

import Foundation

/// Which machine this process runs on, and in which network namespace and with which shared memory there: who has the same
/// can share memory with it.
public enum HostIdentity {
    /// Such as `0ab1…-…/4026531840/27`: the numbers of the machine's boot, the namespace, and the file system of shared
    /// memory, of which containers may have their own. Empty if the kernel does not tell.
    public static var current: String {
        let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        let namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
        let memory = try? FileManager.default.attributesOfItem(atPath: "/dev/shm")[.systemNumber] as? Int
        return text(bootID: boot ?? "", namespace: namespace ?? "", memory: memory ?? nil)
    }

    /// - Parameters:
    ///   - bootID: a UUID and the end of a line.
    ///   - namespace: such as `net:[4026531840]`.
    ///   - memory: the number of the file system.
    static func text(bootID: String, namespace: String, memory: Int?) -> String {
        let boot = bootID.prefix { $0.isHexDigit || $0 == "-" }
        let inode = namespace.drop { $0 != "[" }.dropFirst().prefix { ("0"..."9").contains($0) }
        guard (1...64).contains(boot.utf8.count), (1...20).contains(inode.utf8.count), let memory else { return "" }
        return "\(boot)/\(inode)/\(memory)"
    }
}

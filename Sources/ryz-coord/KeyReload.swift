import CommandSupport
import CoordinatorRuntime
import HTTPAPI
import Logging
import ServiceLifecycle

/// Takes over the lists of keys when they change, so that keys are made and revoked while the cluster runs.
struct KeyReload: Service {
    let folder: KeyFolder
    /// Nil where links are plain text.
    let coordinator: CoordinatorRuntime.Coordinator?
    /// Nil where clients need no key.
    let clients: ClientAccess?
    let logger: Logger

    private static let interval = Duration.seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var watch = FileWatch(paths: [folder.workersPath, folder.clients.path])
            // They may have changed since they were read first.
            var isDue = true
            while (try? await Task.sleep(for: Self.interval)) != nil {
                isDue = watch.hasChanged() || isDue
                if isDue { isDue = !takeOver() }
            }
        }
    }

    /// Whether all that could be read was taken over.
    private func takeOver() -> Bool {
        if let clients, let keys = read({ () throws(KeyFileError) in try folder.clients.keys() }) {
            clients.allow(keys)
            logger.info("the keys of clients were read anew", metadata: ["clients": "\(keys.count)"])
        }
        if let coordinator, let workers = read({ () throws(KeyFileError) in try folder.workers() }) {
            guard coordinator.allow(workers) else { return false }
            logger.info("the keys of workers were read anew", metadata: ["workers": "\(workers.count)"])
        }
        return true
    }

    /// Nil if it cannot be read: the keys that were known stay known then.
    private func read<Keys>(_ list: () throws(KeyFileError) -> Keys) -> Keys? {
        do throws(KeyFileError) { return try list() } catch {
            logger.error("the keys stay as they were", metadata: ["problem": "\(error)"])
            return nil
        }
    }
}

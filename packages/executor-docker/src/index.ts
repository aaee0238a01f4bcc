/** Runs each attempt of an agent in a container of its own. */

export type { EngineConnection } from "./connection.js";
export { dockerExecutor } from "./docker-executor.js";
export type {
  ContainerLimits,
  DockerExecutorOptions,
  ImageBuild,
  Mount,
  RegistryLogin,
} from "./options.js";

// SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
// SPDX-License-Identifier: AGPL-3.0-or-later
// Starts the whole of Hydrogen, without encryption.
import { createNavigation, createRouter, FeatureSet, Platform, RootViewModel } from "hydrogen-view-sdk";

const platform = new Platform({
  container: document.body,
  assetPaths: { serviceWorker: "sw.js" },
  config: { defaultHomeServer: new URLSearchParams(location.search).get("homeserver") },
});
const navigation = createNavigation();
platform.setNavigation(navigation);
await platform.init();
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const client = new RootViewModel({ platform, urlRouter, navigation, features: new FeatureSet() });
await client.load();
platform.createAndMountRootView(client);

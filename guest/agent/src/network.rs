// SPDX-License-Identifier: Apache-2.0
//! The calls about the network. They work without a sandbox, as hosts set up the network first,
//! but not before the drivers are loaded. One at a time: each reads before it writes.

use crate::container::blocking;
use crate::proto::{grpc, types};
use crate::sandbox::Agent;
use crate::status::{Result, Status};
use crate::{link, link_update, neighbor, route};

impl Agent {
    async fn on_network<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.booted().await?;
        let _guard = self.network.lock().await;
        blocking(work).await
    }

    pub async fn update_interface(
        &self,
        request: grpc::UpdateInterfaceRequest,
    ) -> Result<types::Interface> {
        let interface = request
            .interface
            .ok_or_else(|| Status::invalid("the request has no interface"))?;
        let limit = self.config().hotplug_timeout;
        self.on_network(move || link_update::update(&interface, limit))
            .await
    }

    pub async fn update_routes(&self, request: grpc::UpdateRoutesRequest) -> Result<grpc::Routes> {
        let wanted = request
            .routes
            .ok_or_else(|| Status::invalid("the request has no routes"))?;
        let routes = self
            .on_network(move || route::replace(&wanted.routes))
            .await?;
        Ok(grpc::Routes { routes })
    }

    pub async fn list_interfaces(&self) -> Result<grpc::Interfaces> {
        let interfaces = self.on_network(link::list).await?;
        Ok(grpc::Interfaces { interfaces })
    }

    pub async fn list_routes(&self) -> Result<grpc::Routes> {
        let routes = self.on_network(route::list).await?;
        Ok(grpc::Routes { routes })
    }

    pub async fn add_neighbors(&self, request: grpc::AddArpNeighborsRequest) -> Result<()> {
        let wanted = request
            .neighbors
            .ok_or_else(|| Status::invalid("the request has no neighbours"))?;
        self.on_network(move || neighbor::add(&wanted.arp_neighbors))
            .await
    }
}
